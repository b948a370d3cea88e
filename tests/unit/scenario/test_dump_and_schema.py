"""Writing a scenario loses nothing; the schema accepts what loads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from dcsim.errors import ScenarioError
from dcsim.scenario.base import Value
from dcsim.scenario.comparison import Variants
from dcsim.scenario.include import Reader
from dcsim.scenario.load import digest_input, dump, json_schema, load
from dcsim.scenario.meanings import unused
from dcsim.scenario.study import Study

SAMPLE = Path(__file__).parent / "sample.yaml"
SCENARIOS = Path(__file__).parents[3] / "scenarios"


@pytest.mark.parametrize("path", [SAMPLE, *sorted(SCENARIOS.glob("*.yaml"))], ids=lambda path: path.name)
def test_a_dump_loads_to_an_equal_scenario(path: Path, tmp_path: Path) -> None:
    scenario = load(path).scenario
    (tmp_path / "x.yaml").write_text(dump(scenario))
    again = load(tmp_path / "x.yaml").scenario
    assert again == scenario
    assert dump(again) == dump(scenario)
    assert digest_input(again) == digest_input(scenario)


def test_awkward_values_survive(tmp_path: Path) -> None:
    chip = {
        "title": 'a: "b" # c\n\u2028é',
        "yes": "yes",
        "n": "12",
        "e": "1e3",
        "list": [1, 2.5, None, {}],
        "deep": {"a": {"b": [[]]}},
    }
    loaded = load(SAMPLE).replace(
        {"parts": {"accelerators": {"x": chip}}, "cluster.network.link": "0.1234567890123456789 kB/s"}
    )
    (tmp_path / "x.yaml").write_text(dump(loaded.scenario))
    assert load(tmp_path / "x.yaml").scenario == loaded.scenario


def test_the_digest_sees_every_change_and_no_spelling() -> None:
    loaded = load(SAMPLE)
    same = loaded.replace({"cluster.network.link": "50 GB/s"})
    other = loaded.replace({"cluster.network.link": "50.1 GB/s"})
    assert json.dumps(digest_input(same.scenario)) == json.dumps(digest_input(loaded.scenario))
    assert digest_input(other.scenario) != digest_input(loaded.scenario)


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json_schema()


def _keys(name: str, schema: dict[str, Any]) -> dict[str, str]:
    """What is said of every key, by block and key."""
    parts = schema.get("definitions", {}) | schema.get("$defs", {})
    return {
        f"{block}.{key}": entry.get("description", "")
        for block, each in {name: schema, **parts}.items()
        for key, entry in each.get("properties", {}).items()
    }


@pytest.mark.parametrize("model", [Study, Variants])
def test_every_key_of_studies_and_comparisons_says_what_it_means(model: type[Value]) -> None:
    found = _keys(model.__name__, model.model_json_schema(by_alias=True))
    assert [key for key, text in found.items() if not text] == []


def test_every_key_says_what_it_means_and_no_meaning_is_left_over(schema: dict[str, Any]) -> None:
    found = _keys("Scenario", schema)
    assert len(found) > 300
    assert [key for key, text in found.items() if not text] == []
    assert unused(set(found)) == set()
    assert found["ServerPool.count"] == "servers in the pool"
    assert schema["properties"]["site"]["allOf"] == [{"$ref": "#/definitions/Site"}]  # beside its text, by draft 7


def walk(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(item)


def test_the_schema_is_draft_7(schema: dict[str, Any]) -> None:
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    jsonschema.Draft7Validator.check_schema(schema)
    for node in walk(schema):
        assert not {"$defs", "prefixItems", "discriminator", "oneOf"} & set(node)
        assert "$ref" not in node or len(node) == 1  # draft 7 ignores what stands beside a reference
    assert all(each["$ref"].startswith("#/definitions/") for each in walk(schema) if "$ref" in each)
    json.dumps(schema, allow_nan=False)


@pytest.mark.parametrize("path", [SAMPLE, *sorted(SCENARIOS.glob("*.yaml"))], ids=lambda path: path.name)
def test_the_schema_accepts_scenarios(schema: dict[str, Any], path: Path) -> None:
    from dcsim.scenario.document import parse

    jsonschema.validate(Reader().read(path).plain(), schema, cls=jsonschema.Draft7Validator)
    jsonschema.validate(parse(path.read_text(), "x", []).plain(), schema, cls=jsonschema.Draft7Validator)


def test_the_schema_accepts_a_dump(schema: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(dump(load(SAMPLE).scenario))
    jsonschema.validate(Reader().read(tmp_path / "x.yaml").plain(), schema, cls=jsonschema.Draft7Validator)


@pytest.mark.parametrize(
    "setting",
    [
        "cluster.network.link=400",
        "cluster.network.link=400 Gbit",
        "cluster.network.lnk=1",
        "cluster.servers.train.count=-1",
        "jobs.learn.model.layers=two",
        "jobs.learn.model.family=rnn",
        "jobs.pretrain.precision=bf17",
        "jobs.pretrain.checkpoint.every=5",
        "name=A b",
        "until=soon",
        "start=tomorrow",
        "detail=mean",
        "faults.0.target=x",
    ],
)
def test_what_the_schema_can_refuse_it_refuses(schema: dict[str, Any], setting: str) -> None:
    from dcsim.scenario import settings

    data = settings.apply(Reader().read(SAMPLE), settings.read([setting])).plain()
    assert not jsonschema.Draft7Validator(schema).is_valid(data)
    with pytest.raises(ScenarioError):
        load(SAMPLE, [setting])


def test_an_editor_can_complete_unions(schema: dict[str, Any]) -> None:
    """An editor offers the keys and constants of every branch of an anyOf: they must be there, in plain form."""
    definitions = schema["definitions"]
    model = definitions["Job"]["properties"]["model"]
    branches = [definitions[each["$ref"].rsplit("/", 1)[1]] for each in walk(model) if "$ref" in each]
    families = {branch["properties"]["family"]["const"] for branch in branches if "family" in branch["properties"]}
    assert families >= {"transformer", "mlp", "cnn"}
    assert [branch["title"] for branch in branches if "function" in branch["properties"]] == ["UserModel"]
    assert any(branch.get("type") == "string" for branch in model["anyOf"])
    until = schema["properties"]["until"]["anyOf"]
    assert {"const": "jobs-done"} in until
    assert definitions["Network"]["properties"]["link"]["examples"] == ["400 Gbit/s"]
