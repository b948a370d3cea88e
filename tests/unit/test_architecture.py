"""The rules of the house: sizes, what imports what, and what `import dcsim` may load."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "dcsim").rglob("*.py"))
LONGEST_FILE, LONGEST_FUNCTION, MOST_PARAMETERS = 450, 55, 5

# Beside dcsim itself and the standard library, `import dcsim` may load nothing at all.
MAY_LOAD = {"dcsim"}
HEAVY = ("jax", "pandas", "matplotlib", "networkx", "pyarrow", "scipy", "numpy", "pydantic", "simpy", "rich", "jinja2")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(file: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, Function):
            yield node


def length(function: Function) -> int:
    """Lines of a function without its docstring."""
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        assert first.end_lineno is not None
        lines -= first.end_lineno - first.lineno + 1
    return lines


def parameters(function: Function) -> int:
    """Parameters of a function; the object or class that a method is called on is none."""
    arguments = function.args
    names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return len([name for name in names if name not in ("self", "cls")])


def test_no_file_is_longer_than_the_limit() -> None:
    counted = {str(file.relative_to(ROOT)): len(file.read_text("utf-8").splitlines()) for file in FILES}
    assert {name: lines for name, lines in counted.items() if lines > LONGEST_FILE} == {}


def test_no_function_is_longer_than_the_limit() -> None:
    found = {f"{file.relative_to(ROOT)}:{f.lineno} {f.name}": length(f) for file in FILES for f in functions(file)}
    assert {name: lines for name, lines in found.items() if lines > LONGEST_FUNCTION} == {}


def test_no_function_takes_more_parameters_than_the_limit() -> None:
    found = {f"{file.relative_to(ROOT)}:{f.lineno} {f.name}": parameters(f) for file in FILES for f in functions(file)}
    assert {name: count for name, count in found.items() if count > MOST_PARAMETERS} == {}


def test_every_module_says_what_it_is_for() -> None:
    parsed = {str(file.relative_to(ROOT)): ast.parse(file.read_text("utf-8")) for file in FILES}
    assert [name for name, tree in parsed.items() if not ast.get_docstring(tree)] == []


def loaded_by(statement: str) -> set[str]:
    """Top-level modules that are loaded after ``statement`` in a fresh interpreter and were not before it."""
    code = f"import sys; before = set(sys.modules); {statement}; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_importing_dcsim_loads_nothing_but_itself() -> None:
    assert loaded_by("import dcsim") - set(sys.stdlib_module_names) <= MAY_LOAD


@pytest.mark.parametrize("module", ["dcsim.cli", "dcsim.errors", "dcsim.studies.variants"])
def test_the_command_line_loads_nothing_heavy(module: str) -> None:
    assert loaded_by(f"import {module}") & set(HEAVY) == set()


def test_help_loads_nothing_heavy() -> None:
    imports = "from typer.testing import CliRunner; from dcsim.cli import application"
    assert loaded_by(f"{imports}; CliRunner().invoke(application(), ['--help'])") & set(HEAVY) == set()


def test_a_check_loads_no_arrays_and_no_engine() -> None:
    """Pydantic reads the scenario; everything else that is heavy waits for what needs it, JAX for a cold cache."""
    check = "from dcsim import simulate; from dcsim.scenario.load import load"
    check += "; from dcsim.catalogue import resolve; from dcsim.estimate.feasibility import structure"
    check += "; found = load('scenarios/quickstart.yaml')"
    check += "; assert not list(structure(found.scenario, resolve(found), found.problem))"
    assert loaded_by(check) & set(HEAVY) == {"pydantic"}


def test_imports_go_one_way() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_test_files_have_names_of_their_own() -> None:
    names = [file.name for file in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
