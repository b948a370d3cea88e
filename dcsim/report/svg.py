"""From a matplotlib figure to an SVG that follows the page: text as text, colors as variables, ids of its own."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from dcsim.report import style
from dcsim.report.figures.drawing import Drawing, styled

_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_COLOR = re.compile(r"#[0-9a-f]{6}")
_NUMBER = re.compile(r"-?\d+\.\d+")
_FONT = re.compile(r"font-family:[^;]*")
_XLINK = "{http://www.w3.org/1999/xlink}href"
_LONG_PATH = 2_000  # characters from which a tenth of a pixel is precise enough
_GLOBAL_STYLE = "*{stroke-linejoin:round;stroke-linecap:butt}"


def inline(drawing: Drawing) -> str:
    """Return the figure as an ``<svg>`` element for the page, described for screen readers; "" where there is none."""
    if drawing.figure is None:
        return ""
    root = _clean(drawing)
    _describe(root, drawing)
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)


def standalone(drawing: Drawing) -> str:
    """Return the figure as a file of its own: with its title, its colors in both schemes, and no need of the page."""
    if drawing.figure is None:
        return ""
    root = _clean(drawing)
    _add_heading(root, drawing)
    sheet = ElementTree.Element("style")
    sheet.text = _GLOBAL_STYLE + style.css_variables() + "svg{background:var(--paper)}"
    root.insert(0, sheet)
    _describe(root, drawing)
    root.set("xmlns", "http://www.w3.org/2000/svg")
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def write_png(drawing: Drawing, path: Path | str) -> None:
    """Write the figure with its headings at 200 dots per inch on white, for papers; nothing where there is none."""
    if drawing.figure is None:
        return
    with styled():
        width = float(drawing.figure.get_size_inches()[0]) * 72
        height = float(drawing.figure.get_size_inches()[1]) * 72
        below = _wrap(drawing.subtitle, width, 9.0) if drawing.subtitle else []
        above = _wrap(drawing.title, width, 12.0)
        write, left = drawing.figure.text, 8 / width
        headings = [
            write(left, 1 + 6 / height, "\n".join(below), va="bottom", fontsize=9, color=style.color("muted")),
            write(left, 1 + (12 + 11 * len(below)) / height, "\n".join(above), va="bottom", fontsize=12, weight="bold"),
        ]
        drawing.figure.savefig(path, format="png", dpi=200, facecolor="white", bbox_inches="tight", pad_inches=0.1)
        for heading in headings:
            heading.remove()


def _clean(drawing: Drawing) -> ElementTree.Element:
    """Return the tree of matplotlib's SVG without what the page does not need."""
    root = ElementTree.fromstring(drawing.markup)
    _drop(root)
    used = {name for element in root.iter() for name in _references(element)}
    for element in root.iter():
        _rewrite(element, drawing.name, used)
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    return root


def _drop(parent: ElementTree.Element) -> None:
    """Remove style sheets, metadata, empty groups and indentation below ``parent``."""
    for child in list(parent):
        _drop(child)
        name = child.tag.rpartition("}")[2]
        if name in ("metadata", "style") or (name in ("g", "defs") and not len(child)):
            parent.remove(child)
    for element in (parent, *parent):
        element.tail = None
        if element.text is not None and not element.text.strip():
            element.text = None


def _references(element: ElementTree.Element) -> Iterator[str]:
    for value in element.attrib.values():
        yield from _REFERENCE.findall(value)
    if _XLINK in element.attrib:
        yield element.attrib[_XLINK][1:]


def _rewrite(element: ElementTree.Element, prefix: str, used: set[str]) -> None:
    """Give one element the page's names: ids with a prefix, variables for colors, the page's font, short numbers."""
    element.tag = element.tag.rpartition("}")[2]
    attributes = element.attrib
    if attributes.get("id") in used:
        attributes["id"] = f"{prefix}-{attributes['id']}"
    else:
        attributes.pop("id", None)
    if _XLINK in attributes:
        attributes["href"] = f"#{prefix}-{attributes.pop(_XLINK)[1:]}"
    if "fill" in attributes:
        attributes["style"] = f"fill: {attributes.pop('fill')}; {attributes.get('style', '')}"
    if attributes.get("transform", "").startswith("rotate(-0 "):
        del attributes["transform"]
    for name, value in attributes.items():
        attributes[name] = _REFERENCE.sub(rf"url(#{prefix}-\1)", value)
    if "style" in attributes:
        attributes["style"] = _FONT.sub("font-family:var(--font)", _COLOR.sub(_variable, attributes["style"]))
    if "d" in attributes:
        digits = 1 if len(attributes["d"]) > _LONG_PATH else 2
        attributes["d"] = _short(attributes["d"].replace("\n", ""), digits)


def _variable(found: re.Match[str]) -> str:
    role = next((role for role, colors in style.SCHEME.items() if colors[0] == found[0]), None)
    return f"var(--{role})" if role else found[0]


def _short(path: str, digits: int) -> str:
    return _NUMBER.sub(lambda found: f"{float(found[0]):.{digits}f}".rstrip("0").rstrip("."), path)


def _describe(root: ElementTree.Element, drawing: Drawing) -> None:
    for place, (tag, text) in enumerate((("title", drawing.title), ("desc", drawing.description or drawing.subtitle))):
        element = ElementTree.Element(tag, {"id": f"{drawing.name}-{tag}"})
        element.text = text
        root.insert(place, element)
    root.set("role", "img")
    root.set("aria-labelledby", f"{drawing.name}-title")
    root.set("aria-describedby", f"{drawing.name}-desc")


def _wrap(text: str, width_px: float, size_px: float) -> list[str]:
    return textwrap.wrap(text, max(20, int(width_px / (0.6 * size_px))))


def _add_heading(root: ElementTree.Element, drawing: Drawing) -> None:
    """Write title and subtitle above the figure and make it that much taller."""
    width, height = (float(number) for number in root.attrib["viewBox"].split()[2:])
    lines = [(line, 14.0, "700", "ink") for line in _wrap(drawing.title, width, 14.0)]
    lines += [(line, 10.0, "400", "muted") for line in _wrap(drawing.subtitle, width, 10.0)]
    top = sum(size * 1.45 for _, size, _, _ in lines) + 10.0
    baseline = -top
    for text, size, weight, role in lines:
        baseline += size * 1.45
        look = f"font:{weight} {size:g}px var(--font);fill:var(--{role})"
        element = ElementTree.SubElement(root, "text", {"x": "8", "y": f"{baseline:.1f}", "style": look})
        element.text = text
    root.set("viewBox", f"0 {-top:.1f} {width:g} {height + top:.1f}")
    root.set("width", f"{width:g}")
    root.set("height", f"{height + top:.1f}")
