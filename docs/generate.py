"""Write the reference pages from what the program itself knows: commands, scenario keys, metrics, tables, catalogue."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

OUT = Path(__file__).parent / "reference" / "generated"
VERBS = ("run", "check", "show", "compare", "report", "trace", "catalogue", "schema", "explain")


def commands() -> Iterator[str]:
    """Yield the help of every verb."""
    from typer.testing import CliRunner

    from dcsim.cli import application

    app, runner = application(), CliRunner()
    yield "# Commands"
    yield (
        "Exit status: 0 done; 1 the run failed; 2 the input is wrong, every problem is listed and nothing is written; "
        "130 interrupted, what was finished is kept and marked partial."
    )
    for arguments in ([], *([verb] for verb in VERBS)):
        yield f"## dcsim {' '.join(arguments)}".rstrip()
        text = runner.invoke(app, [*arguments, "--help"], prog_name="dcsim").output.strip()
        yield f"```text\n{text}\n```"


def scenario() -> Iterator[str]:
    """Yield every key of the scenario file, from its JSON schema."""
    from dcsim.scenario.schema import json_schema

    schema = json_schema()
    yield "# Scenario keys"
    yield (
        "A scenario is YAML 1.2. A quantity is written with its unit; unknown keys are errors. A path such as "
        "`jobs.pretrain.steps` names list items by their `name`. `dcsim schema` prints all this as JSON schema."
    )
    yield from _section("Scenario", schema | {"required": schema["anyOf"][1]["required"]})
    for name, definition in schema["definitions"].items():
        if definition.get("properties"):
            yield from _section(name, definition)


def _section(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {name}"
    if "description" in schema:
        yield schema["description"]
    required = schema.get("required", ())
    rows = [
        (f"`{key}`", _kind(entry), "required" if key in required else _default(entry), entry.get("description", ""))
        for key, entry in schema["properties"].items()
    ]
    yield _table(("key", "value", "default", "meaning"), rows)


def _kind(entry: Mapping[str, Any]) -> str:
    """Say in words what a schema entry accepts."""
    if "$ref" in entry:
        name = entry["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for several in ("anyOf", "oneOf", "allOf"):
        if several in entry:
            return " or ".join(dict.fromkeys(_kind(each) for each in entry[several]))
    if "const" in entry:
        return f"`{entry['const']}`"
    if "enum" in entry:
        return ", ".join(f"`{word}`" for word in entry["enum"])
    if entry.get("type") == "array":
        return f"list of {_kind(entry.get('items', {}))}"
    if entry.get("type") == "object":
        inner = entry.get("additionalProperties")
        return f"mapping of names to {_kind(inner)}" if isinstance(inner, Mapping) and inner else "mapping"
    if entry.get("examples"):
        return f'such as "{entry["examples"][0]}"'
    return {"null": "nothing", "string": "text", "boolean": "true or false"}.get(entry.get("type", ""), _number(entry))


def _number(entry: Mapping[str, Any]) -> str:
    words = [entry.get("type", "any value")]
    for key, text in (
        ("exclusiveMinimum", "above"),
        ("minimum", "at least"),
        ("maximum", "at most"),
        ("exclusiveMaximum", "below"),
    ):
        if key in entry:
            words.append(f"{text} {entry[key]}")
    return " ".join(words)


def _default(entry: Mapping[str, Any]) -> str:
    value = entry.get("default")
    if value is None or isinstance(value, dict):
        return ""
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value)}`"


def metrics() -> Iterator[str]:
    """Yield the dictionary of metrics."""
    from dcsim.results.dictionary import DEFINITIONS

    yield "# Metrics"
    yield "`*` stands for the name of a job or a network tier. `dcsim explain METRIC` prints one of these."
    rows = [(f"`{d.pattern}`", d.title, d.unit, d.definition, f"`{d.equation}`", d.better) for d in DEFINITIONS]
    yield _table(("metric", "title", "unit", "definition", "equation", "better"), rows)


def tables() -> Iterator[str]:
    """Yield the tables of a run and their columns."""
    from dcsim.results.tables import TABLES

    yield "# Tables"
    yield "Each is a Parquet file in `tables/` of the run folder and an entry of `Result.tables`, with its units."
    for name, table in TABLES.items():
        yield f"## {name}"
        yield f"{table.title}. {table.definition}"
        yield _table(("column", "unit"), [(f"`{column}`", unit) for column, unit in table.columns.items()])


def catalogue() -> Iterator[str]:
    """Yield every part with the source of every value."""
    from dcsim import catalogue as known

    yield "# Catalogue"
    yield "`dcsim catalogue KIND NAME` prints one part. A scenario adds its own under `parts:`, in the same form."
    for kind in known.KINDS:
        yield f"## {kind}"
        for name in known.names(kind):
            yield f"### {name}"
            rows = [(f"`{field}`", value, source) for field, value, source in known.describe(kind, name)]
            yield _table(("field", "value", "source"), rows)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in lines
    )


def main(out: Path) -> None:
    """Write all pages into the folder ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    for page in (commands, scenario, metrics, tables, catalogue):
        (out / f"{page.__name__}.md").write_text("\n\n".join(page()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else OUT)
