"""``--set PATH=VALUE``: change one value of a scenario's tree before it is validated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dcsim.errors import Problem, ScenarioError
from dcsim.scenario.document import Entry, Node, from_plain, parse_value
from dcsim.scenario.parallel import spelled_out
from dcsim.scenario.positions import Place, Positions
from dcsim.scenario.suggest import nearest, quoted

Setting = tuple[str, Node]


def read(settings: Sequence[str], origin: str = "--set") -> list[Setting]:
    """Split settings ``"PATH=VALUE"``; values are read as YAML.

    Raises
    ------
    ScenarioError
        With every setting that is none.
    """
    result, problems = [], []
    for text in settings:
        path, equals, value = text.partition("=")
        path = path.strip()
        if not equals or not path or "" in path.split("."):
            problems.append(Problem(origin, None, "", quoted(text), 'PATH=VALUE such as "jobs.pretrain.steps=500"'))
            continue
        inside: list[Problem] = []
        try:
            result.append((path, parse_value(value, origin, inside)))
        except ScenarioError as error:
            inside += error.problems
        problems += [Problem(origin, None, path, each.found, each.expected, each.suggestion) for each in inside]
    if problems:
        raise ScenarioError(problems)
    return result


def apply(root: Node, settings: Sequence[Setting]) -> Node:
    """Return the tree with the settings applied in order; a new key is made, a new list item is not.

    Raises
    ------
    ScenarioError
        With every path that does not exist, and the nearest that does.
    """
    problems: list[Problem] = []
    for path, value in settings:
        if not path:
            problems.append(Problem(value.file, None, "", "an empty path", "a path such as jobs.pretrain.steps"))
            continue
        try:
            root = _put(root, path, value)
        except ScenarioError as error:
            problems += error.problems
    if problems:
        raise ScenarioError(problems)
    return root


def _put(root: Node, path: str, value: Node) -> Node:
    place, rest = Positions(root).find(path)
    if rest and place.names[-1:] == ("parallel",) and isinstance(place.node.value, str):
        block = from_plain(spelled_out(place.node.value), place.file, place.line)  # a word that stands for keys
        root = _replace(root, place.steps, block)
        place, rest = Positions(root).find(path)
    keys = rest.split(".") if rest else []
    if keys:
        _check_block(place, rest, value.file)
    for key in reversed(keys[1:]):
        value = Node({key: Entry(None, value)}, value.file, None)
    steps = (*place.steps, *keys[:1])
    return _replace(root, steps, value)


def _check_block(place: Place, rest: str, origin: str) -> None:
    """Refuse a new key where there is a list or a plain value."""
    path, word = f"{place.path}.{rest}", quoted(rest.split(".")[0])
    value = place.node.value
    if isinstance(value, tuple):
        names = [item.name or str(index) for index, item in enumerate(value)]
        expected = f"one of {', '.join(names[:20])}" if names else "an item of the list, which is empty"
        hint = nearest(rest.split(".")[0], names)
        raise ScenarioError([Problem(origin, None, path, f"no {word} in {place.path}", expected, hint)])
    if not isinstance(value, Mapping) and value is not None:
        found = f"{quoted(value)} at {place.path}"
        raise ScenarioError([Problem(origin, None, path, found, "a block of keys there")])


def _replace(node: Node, steps: Sequence[str | int], value: Node) -> Node:
    """Return the tree with the value at ``steps`` replaced; the last key may be new."""
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if isinstance(node.value, tuple) and isinstance(step, int):
        item = _replace(node.value[step], rest, value)
        return Node((*node.value[:step], item, *node.value[step + 1 :]), node.file, node.line)
    entries = node.value if isinstance(node.value, Mapping) else {}
    old = entries.get(str(step))
    new = _replace(old.node if old else Node(None, value.file, None), rest, value)
    line = old.line if old and old.node.file == new.file else new.line
    return Node({**entries, str(step): Entry(line, new)}, node.file, node.line)
