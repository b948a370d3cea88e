"""Write the reference pages from what the program itself knows: its commands, keys, metrics, parts and Python."""

from __future__ import annotations

import inspect
import json
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

OUT = Path(__file__).parent / "reference" / "generated"
_ENDLESS = 10**12  # bounds this far out are there for the sake of arithmetic


def commands() -> Iterator[str]:
    """Yield the help of every verb."""
    from typer.main import get_command
    from typer.testing import CliRunner

    from dcsim.cli import application

    app, runner = application(), CliRunner()
    verbs: Any = get_command(app)
    yield "# Commands"
    yield (
        "Exit status: 0 done; 1 the run failed; 2 the input is wrong, every problem is listed and nothing is written; "
        "130 interrupted, what was finished is kept and marked partial."
    )
    for arguments in ([], *([verb] for verb in verbs.commands)):
        yield f"## dcsim {' '.join(arguments)}".rstrip()
        text = runner.invoke(app, [*arguments, "--help"], prog_name="dcsim").output.strip()
        yield f"```text\n{text}\n```"


def scenario() -> Iterator[str]:
    """Yield every key of the scenario file, from its JSON schema."""
    from dcsim.scenario.root import Scenario
    from dcsim.scenario.schema import json_schema

    schema = json_schema()
    required = Scenario.model_json_schema(by_alias=True)["$defs"]  # which a file that includes another may leave out
    yield "# Scenario keys"
    yield (
        "A scenario is YAML 1.2. A quantity is written with its unit; unknown keys are errors. A path such as "
        "`jobs.pretrain.steps` names list items by their `name`. Defaults are SI. "
        "`dcsim schema` prints all this as JSON schema."
    )
    full = {name: {"required": required[name].get("required", ())} | each for name, each in _definitions(schema)}
    yield from _sections("Scenario", schema | {"required": schema["anyOf"][1]["required"]}, full)


def studies() -> Iterator[str]:
    """Yield every key of study files and of comparison files."""
    from dcsim.scenario.comparison import Variants
    from dcsim.scenario.study import Study

    yield "# Study and comparison files"
    yield (
        "A study varies a scenario along axes, for `dcsim sweep`, `optimize` and `sensitivity`; a comparison names its "
        "variants, for `dcsim compare`. Paths are those of [scenario keys](scenario.md), as in `--set`."
    )
    for title, model in (("Study file", Study), ("Comparison file", Variants)):
        schema = model.model_json_schema(by_alias=True, ref_template="#/definitions/{model}")
        yield from _sections(title, schema, dict(_definitions({"definitions": schema.get("$defs", {})})))


def python() -> Iterator[str]:
    """Yield what ``import dcsim`` offers, and what it raises."""
    import dcsim
    from dcsim import errors
    from dcsim.results.result import Metric, Result
    from dcsim.scenario.load import Loaded

    yield "# Python"
    yield (
        "Everything is typed. Values are SI floats; frames carry their units in `frame.attrs`. "
        "Examples are in [Use dcsim from Python](../../how-to/use-from-python.md)."
    )
    for function in (dcsim.load, dcsim.run, dcsim.compare, dcsim.sweep, Loaded.replace, dcsim.Scenario.replace):
        name = function.__qualname__ if "." in function.__qualname__ else f"dcsim.{function.__name__}"
        yield f"## {name}"
        called = textwrap.fill(name + _signature(function), 84, subsequent_indent="    ")
        yield f"```text\n{called}\n\n{inspect.getdoc(function)}\n```"
    for kind in (Loaded, Result, Metric):
        yield f"## {kind.__name__}"
        yield f"```text\n{inspect.getdoc(kind)}\n```"
    yield "## Exceptions"
    yield f"```text\n{inspect.getdoc(errors)}\n```"
    known = [each for each in vars(errors).values() if inspect.isclass(each) and issubclass(each, errors.DcsimError)]
    rows = [(f"`{each.__name__}`", f"`{each.__mro__[1].__name__}`", inspect.getdoc(each) or "") for each in known]
    yield _table(("exception", "is a", "raised when"), rows)


def _signature(function: Callable[..., Any]) -> str:
    """Return how a function is called, its annotations without the quotes that deferring them leaves."""
    return re.sub(r"'([\w.,|\[\] ]+)'", r"\1", str(inspect.signature(function)))


def _definitions(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the parts of a schema that have keys."""
    yield from ((name, each) for name, each in schema["definitions"].items() if each.get("properties"))


def _sections(title: str, schema: Mapping[str, Any], parts: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield a section for ``schema`` and for each of its ``parts``."""
    for name, each in {title: schema, **parts}.items():
        yield from _section(name, each, parts)


def _section(name: str, schema: Mapping[str, Any], parts: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield f"## {name}"
    if "description" in schema:
        yield schema["description"]
    required = schema.get("required", ())
    rows = [
        (f"`{key}`", _kind(entry), "required" if key in required else _default(entry), _meaning(entry, parts))
        for key, entry in schema["properties"].items()
    ]
    yield _table(("key", "value", "default", "meaning"), rows)


def _meaning(entry: Mapping[str, Any], parts: Mapping[str, Mapping[str, Any]]) -> str:
    """Return what is said of a key, or else of the only thing that it holds."""
    if "description" in entry:
        return str(entry["description"])
    if "const" in entry:
        return f"which says that it is a {entry['const']}"
    held = {word.rpartition("/")[2] for word in re.findall(r"#/definitions/\w+", json.dumps(entry))}
    return (
        str(parts[held.pop()].get("description", "")).partition("\n")[0]
        if len(held) == 1 and held <= parts.keys()
        else ""
    )


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
        if abs(entry.get(key, _ENDLESS)) < _ENDLESS:
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
    for page in (commands, scenario, studies, metrics, tables, catalogue, python):
        (out / f"{page.__name__}.md").write_text("\n\n".join(page()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else OUT)
