"""The JSON schema of the scenario file, with which an editor completes and checks while typing."""

from __future__ import annotations

from typing import Any

from dcsim.scenario.meanings import explain
from dcsim.scenario.root import Scenario


def json_schema() -> dict[str, Any]:
    """Return the schema by draft 7, which editors support, with unions as plain ``anyOf``, which they complete."""
    plain = Scenario.model_json_schema(by_alias=True, ref_template="#/definitions/{model}")
    for name, block in {"Scenario": plain, **plain.get("$defs", {})}.items():
        explain(name, block)
    schema = _draft_7(plain)
    schema["definitions"] = schema.pop("$defs", {})
    schema["properties"]["include"] = {
        "description": "files that this one is laid over, relative to it",
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
    }
    # Of a file that includes another, required keys may stand in the other one, at any depth: ``dcsim check`` tells.
    required = schema.pop("required", [])
    for definition in schema["definitions"].values():
        definition.pop("required", None)
    schema["anyOf"] = [{"required": ["include"]}, {"required": required}]
    return {"$schema": "http://json-schema.org/draft-07/schema#", **schema, "title": "dcsim scenario"}


def _draft_7(value: Any) -> Any:
    """Rewrite what draft 7 does not know or ignores: discriminators, keys beside a reference."""
    if isinstance(value, list):
        return [_draft_7(item) for item in value]
    if not isinstance(value, dict):
        return value
    result = {key: _draft_7(item) for key, item in value.items() if key not in ("discriminator", "oneOf")}
    if "oneOf" in value:
        result["anyOf"] = _draft_7(value["oneOf"])
    if "$ref" in result and len(result) > 1:
        result["allOf"] = [{"$ref": result.pop("$ref")}]
    return result
