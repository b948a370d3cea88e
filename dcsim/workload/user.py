"""Where the code of a user's own function lies, told without executing it; no JAX here.

Modules are found beside the scenario first, then where Python finds packages. What a digest covers is the content of
every file of the same place that the module imports, however far along, and the versions of the installed packages that
these import. Files that the code opens by itself, and modules whose names it computes, are not seen.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from importlib import metadata
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dcsim.errors import InputError, Problem, ScenarioError
from dcsim.scenario.user import is_function

if TYPE_CHECKING:
    from dcsim.scenario.user import UserModel


class NotFoundError(InputError):
    """A function that is nowhere; ``found`` and ``expected`` are for a message at the line of the scenario that has
    ``name``, a function or its module.
    """

    def __init__(self, found: str, expected: str, name: str) -> None:
        super().__init__(f"found {found}, expected {expected}")
        self.found, self.expected, self.name = found, expected, name


@dataclass(frozen=True, slots=True)
class UserCode:
    """The files of a user's functions: ``root`` is the folder from which their modules are imported."""

    root: Path
    files: tuple[Path, ...]
    packages: tuple[str, ...]

    def digest(self) -> str:
        """Return a digest of the content of all files and of the versions of the packages that they import."""
        digest = blake2b(digest_size=20)
        for file in self.files:
            digest.update(file.relative_to(self.root).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
        for name in self.packages:
            digest.update(f"{name} {_version(name)}\0".encode())
        return digest.hexdigest()


def code_of(model: UserModel, folder: Path) -> UserCode:
    """Return where the functions lie that a model names; ``folder`` is the scenario's.

    Raises
    ------
    NotFoundError
        If there is no such module.
    ScenarioError
        If a file of it is no Python.
    """
    modules = [name.partition(":")[0] for _, name in _functions(model)]
    root, *_ = [_root(module, folder) for module in modules]
    found: dict[str, Path] = {}
    foreign: set[str] = set()
    waiting = list(dict.fromkeys(modules))
    while waiting:
        name = waiting.pop()
        file = _file(name, root)
        if name in found or file is None:
            foreign.update([name.partition(".")[0]] if file is None else ())
            continue
        found[name] = file
        waiting.extend(_parents(name))
        waiting.extend(_imports(name, file))
    packages = sorted(foreign - set(sys.stdlib_module_names) - {"dcsim"})
    return UserCode(root, tuple(sorted(set(found.values()))), tuple(packages))


def key_of(model: UserModel, name: str) -> str:
    """Return the key of ``model`` at which a function, or the first one of a module, is named."""
    return next((key for key, function in _functions(model) if name in (function, function.partition(":")[0])), "")


def _functions(model: UserModel) -> Iterator[tuple[str, str]]:
    """Yield all functions that a model names, each behind its dotted key."""
    yield "function", model.function
    yield from _named("arguments", model.arguments)


def _named(key: str, arguments: Any) -> Iterator[tuple[str, str]]:
    match arguments:
        case dict():
            for name, item in arguments.items():
                yield from _named(f"{key}.{name}", item)
        case list() | tuple():
            for item in arguments:
                yield from _named(key, item)
        case str() if is_function(arguments):
            yield key, arguments


def shown(file: Path | str) -> str:
    """Return a path as people write it: relative to the current folder where it lies below."""
    path = Path(file)
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _root(module: str, folder: Path) -> Path:
    """Return the folder in which the import of ``module`` begins."""
    for place in dict.fromkeys([str(folder.resolve()), *sys.path]):
        root = Path(place or ".").resolve()
        if _file(module, root) is not None:
            return root
    named = f'the module "{module}"'
    raise NotFoundError(
        f"no file of {named}",
        f"{module.replace('.', '/')}.py in {shown(folder)}{'/' if str(folder) != '/' else ''} or {named} of an "
        "installed package",
        module,
    )


def _file(module: str, root: Path) -> Path | None:
    """Return the file of a module below ``root``, as the import system would choose it, None if it has none."""
    places: Iterable[str] | None = [str(root)]
    spec, name = None, ""
    for part in module.split("."):
        name = f"{name}.{part}" if name else part
        spec = PathFinder.find_spec(name, places) if places is not None else None  # type: ignore[arg-type]
        places = spec.submodule_search_locations if spec is not None else None
    origin = None if spec is None else spec.origin
    return Path(origin) if origin and origin.endswith(".py") and Path(origin).is_relative_to(root) else None


def _parents(name: str) -> list[str]:
    parts = name.split(".")[:-1]
    return [".".join(parts[: end + 1]) for end in range(len(parts))]


def _imports(name: str, file: Path) -> Iterator[str]:
    """Yield the modules that a module may import: of ``from a import b`` both a and a.b, of which one may be none."""
    try:
        tree = ast.parse(file.read_bytes(), str(file))
    except SyntaxError as error:
        problem = Problem(shown(file), error.lineno, "", f"code that is no Python ({error.msg})", "a Python module")
        raise ScenarioError([problem]) from None
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from (alias.name, *_parents(alias.name))
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            yield from filter(None, (base, *_parents(base)))
            yield from (f"{base}.{alias.name}" if base else alias.name for alias in node.names if alias.name != "*")


def _absolute(node: ast.ImportFrom, package: str) -> str:
    """Return the full name of the module of a ``from`` import, dots at its front resolved."""
    if not node.level:
        return node.module or ""
    parts = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*filter(None, parts), *([node.module] if node.module else [])])


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
