"""How a verb becomes a command: its options, its exit status, and what it says where."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import partial
from inspect import Parameter, Signature, signature
from typing import Any, get_type_hints

import typer

from dcsim.errors import CodeRefusedError, InputError, RunError, ScenarioError

DONE, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130


def command(verb: Callable[..., int]) -> Callable[..., None]:
    """Return ``verb`` as Typer calls it: a parameter that is a dataclass becomes one parameter a field."""
    hints = get_type_hints(verb, include_extras=True)
    groups = {name: kind for name, kind in hints.items() if isinstance(kind, type) and is_dataclass(kind)}

    def called(**given: Any) -> None:
        values = {name: kind(**{f.name: given.pop(f.name) for f in fields(kind)}) for name, kind in groups.items()}
        raise typer.Exit(guarded(partial(verb, **given, **values)))

    plain = [p.replace(annotation=hints[p.name]) for p in signature(verb).parameters.values() if p.name not in groups]
    grouped = [option for kind in groups.values() for option in options(kind)]
    parameters = [p.replace(kind=Parameter.KEYWORD_ONLY) for p in (*plain, *grouped)]
    called.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {p.name: p.annotation for p in parameters}
    return called


def options(group: Any) -> list[Parameter]:
    """Return the fields of a group of options as parameters of their own."""
    hints = get_type_hints(group, include_extras=True)
    return [_option(field, hints[field.name]) for field in fields(group)]


def _option(field: Field[Any], annotation: Any) -> Parameter:
    default = field.default if field.default_factory is MISSING else field.default_factory()
    default = Parameter.empty if default is MISSING else default
    return Parameter(field.name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def guarded(verb: Callable[[], int]) -> int:
    """Run a verb; what is wrong becomes lines on standard error and an exit status."""
    try:
        status = verb()
        sys.stdout.flush()
    except InputError as error:
        complain_of(error)
        return WRONG_INPUT
    except RunError as error:
        complain(f"the run failed: {error}")
        return FAILED
    except KeyboardInterrupt as interrupt:
        complain_of_interrupt(interrupt)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough; that is no failure.
        flush()
        return DONE
    except OSError as error:
        complain(str(error))
        return FAILED
    return status


def flush() -> None:
    """Flush standard output; without a reader drop what is left, or the interpreter complains at exit."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(text: str) -> None:
    """Print a text on standard output."""
    typer.echo(text)


def complain(text: str) -> None:
    """Print a line on standard error."""
    typer.echo(f"dcsim: {text}", err=True)


def complain_of(error: InputError) -> None:
    """Print what is wrong with the input, every problem on a line."""
    if isinstance(error, ScenarioError):
        typer.echo(str(error), err=True)
        if isinstance(error, CodeRefusedError):
            complain(f"to execute it, write: {shlex.join(['dcsim', *sys.argv[1:], '--allow-code'])}")
    else:
        complain(str(error))


def complain_of_interrupt(interrupt: KeyboardInterrupt) -> None:
    """Print that the user interrupted, and what is kept."""
    complain(f"interrupted; {interrupt.args[0] if interrupt.args else 'nothing was written'}")


@contextmanager
def keeping(what: str) -> Iterator[None]:
    """Let an interrupt in the block, or a file that cannot be written, say what is kept."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(what) from None
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(f"{error}; {what}") from error
