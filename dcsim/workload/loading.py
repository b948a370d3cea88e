"""Executes a user's module to get at its functions, and leaves the interpreter's modules as they were."""

from __future__ import annotations

import contextlib
import importlib
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from dcsim.errors import DcsimError, Problem, ScenarioError
from dcsim.scenario.suggest import nearest
from dcsim.workload.user import NotFoundError, UserCode, shown

_CALLS = ("unexpected keyword argument", "required positional argument", "positional-only arguments")


@contextlib.contextmanager
def importing(code: UserCode) -> Iterator[Callable[[str], Any]]:
    """Yield a function that imports ``package.module:name`` from the place of ``code``.

    Modules of that place are loaded afresh and forgotten at the end, so that edited code, or another scenario's module
    of the same name, is never mistaken for them. What the code prints goes to standard error.
    """
    tops = {file.relative_to(code.root).parts[0].removesuffix(".py") for file in code.files}
    before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in tops}
    for name in before:
        del sys.modules[name]
    sys.path.insert(0, str(code.root))
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    importlib.invalidate_caches()
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield lambda function: _attribute(function, code)
    finally:
        sys.dont_write_bytecode = writes
        sys.path.remove(str(code.root))
        for name in [name for name in sys.modules if name.partition(".")[0] in tops]:
            del sys.modules[name]
        sys.modules.update(before)


@contextlib.contextmanager
def blaming(what: str, code: UserCode, fallback: tuple[str, int] | None = None) -> Iterator[None]:
    """Turn whatever the user's code raises into a problem at the line of that code.

    ``what`` says in a word what it could not be: "importable", "traceable". ``fallback`` is the file and line to name
    where no line of the user's is on the stack.
    """
    try:
        yield
    except DcsimError:
        raise
    except (Exception, SystemExit) as error:
        file, line = _place(error, code) or fallback or (str(code.files[0]), 1)
        text = f"{type(error).__name__}: {str(error).strip() or 'no message'}"
        first, *rest = text.splitlines()
        found = f"code that is not {what} ({first}{' ...' if any(rest) else ''})"
        raise ScenarioError([Problem(shown(file), line, "", found, _advice(what, error))]) from error


def definition(function: Any) -> tuple[str, int] | None:
    """Return file and line at which a function, or what it wraps, is defined."""
    for _ in range(100):  # decorators may wrap one another; no chain is longer
        found = getattr(function, "__code__", None)
        if found is not None:
            return found.co_filename, found.co_firstlineno
        function = getattr(function, "__wrapped__", None) or getattr(function, "func", None)
    return None


def _attribute(function: str, code: UserCode) -> Any:
    module_name, _, name = function.partition(":")
    with blaming("importable", code):
        module = importlib.import_module(module_name)
    if not callable(getattr(module, name, None)):
        place = shown(module.__file__ or module_name)
        raise NotFoundError(f'no function "{name}" in {place}', _known(module, name), function)
    return getattr(module, name)


def _known(module: ModuleType, name: str) -> str:
    mine = [key for key, item in vars(module).items() if callable(item) and not key.startswith("_")]
    own = [key for key in mine if getattr(vars(module)[key], "__module__", module.__name__) == module.__name__]
    known = f"one of its functions: {', '.join(sorted(own)[:20])}" if own else "a module that defines it"
    hint = nearest(name, own)
    return f"{known}; {hint}" if hint else known


def _place(error: BaseException, code: UserCode) -> tuple[str, int] | None:
    """Return the innermost line of the user's own files that the error passed through."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return error.filename, error.lineno
    own = {str(file) for file in code.files}
    frames = [(str(Path(frame.filename)), frame.lineno or 1) for frame in traceback.extract_tb(error.__traceback__)]
    return next((frame for frame in reversed(frames) if frame[0] in own), None)


def _advice(what: str, error: BaseException) -> str:
    """Say what to write instead, by the kind of error."""
    kind = type(error).__name__
    if what == "importable":
        missing = getattr(error, "name", None) if isinstance(error, ModuleNotFoundError) else None
        return f"an installed package: python -m pip install {missing}" if missing else "a module that can be imported"
    if kind == "TypeError" and any(text in str(error) for text in _CALLS):
        return "arguments by the names that the scenario gives them under model.arguments"
    if (
        "Only integer scalar arrays" in str(error)
        or "Concretization" in kind
        or "TracerBool" in kind
        or "TracerInteger" in kind
    ):
        return (
            "code that does not read the values of arrays: jax.lax.cond, jnp.where or jax.lax.scan in place of if, for"
        )
    if "TracerArray" in kind:
        return "functions of jax.numpy in place of NumPy's, which need the values of arrays"
    if kind == "NonConcreteBooleanIndexError":
        return "arrays of known shape: jnp.where with three arguments in place of a mask as an index"
    return "a JAX function that can be traced with the arguments that the scenario describes"
