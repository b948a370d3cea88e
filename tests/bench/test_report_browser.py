"""The page in Chromium: nothing overflows or overlaps, tables sort and filter, no request leaves, it prints."""

from __future__ import annotations

import html as markup
import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from dcsim.report import html, interactive
from dcsim.report.capacity import Outlook
from dcsim.results import compare
from dcsim.results.growth import parse
from dcsim.results.study import FIXED, StudyResult

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")]

# Runs in a page that shows the report in a frame of the wanted width, and writes what it finds as its only text.
PROBE = """
<!DOCTYPE html><meta charset="utf-8"><body style="margin:0">
<iframe id="frame" style="width:%dpx;height:4000px;border:0"></iframe>
<script>
const frame = document.getElementById("frame");
frame.onload = () => {
  const page = frame.contentDocument, view = frame.contentWindow, found = {};
  found.overflow = page.documentElement.scrollWidth - page.documentElement.clientWidth;
  found.scheme = view.getComputedStyle(page.body).backgroundColor;
  found.overlaps = [];
  page.querySelectorAll("svg").forEach((svg) => {
    const outer = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll("text")].map((text) => [text.textContent, text.getBoundingClientRect()]);
    texts.forEach(([one, a], place) => {
      if (a.right > outer.right + 2 || a.left < outer.left - 2) found.overlaps.push([one, "leaves the figure"]);
      texts.slice(place + 1).forEach(([two, b]) => {
        const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const tall = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (wide > 2 && tall > 0.45 * Math.min(a.height, b.height)) found.overlaps.push([one, two]);
      });
    });
  });
  page.querySelectorAll("details").forEach((item) => { item.open = true; });
  const box = page.querySelector('div.table[data-name="%s"]');
  const value = (cell) => cell.dataset.key ?? cell.textContent;
  const column = (index) => [...box.querySelectorAll("tbody tr")].map((row) => value(row.cells[index]));
  const heads = box.querySelectorAll("th button");
  heads[%d].click();
  found.ascending = column(%d);
  found.sorted = box.querySelectorAll("th")[%d].getAttribute("aria-sort");
  heads[%d].click();
  found.descending = column(%d);
  const input = box.querySelector("input"), word = "%s";
  if (input) {
    input.value = word;
    input.dispatchEvent(new view.Event("input"));
  }
  found.visible = [...box.querySelectorAll("tbody tr")].filter((row) => !row.hidden).length;
  found.requests = view.performance.getEntriesByType("resource").map((entry) => entry.name);
  document.body.textContent = "RESULT" + JSON.stringify(found) + "END";
};
frame.srcdoc = %s;
</script>
"""


def synthetic() -> ModuleType:
    path = Path(__file__).parents[1] / "unit" / "report" / "synthetic.py"
    spec = importlib.util.spec_from_file_location("synthetic", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def chromium(profile: Path, *arguments: str) -> str:
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    command += ["--virtual-time-budget=5000", f"--user-data-dir={profile}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def probe(page: Path, width: int, folder: Path, table: tuple[str, int, str], *more: str) -> dict[str, object]:
    """Return what the script found in ``page`` at ``width`` pixels; ``table`` is (name, column to sort, filter)."""
    name, column, word = table
    # a script's text may not hold its own end tag
    source = json.dumps(page.read_text("utf-8")).replace("</", "<\\/")
    text = PROBE % (width, name, column, column, column, column, column, word, source)
    (folder / "probe.html").write_text(text, "utf-8")
    shown = chromium(folder / "profile", *more, "--window-size=1600,4200", "--dump-dom", f"file://{folder}/probe.html")
    found = re.search(r"RESULT(.*)END", markup.unescape(shown), re.DOTALL)
    assert found is not None, shown[:2000]
    values: dict[str, object] = json.loads(found[1])
    return values


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_the_report_fits_its_width(width: int, tmp_path: Path) -> None:
    html.write(synthetic().result(), tmp_path / "report.html")
    found = probe(tmp_path / "report.html", width, tmp_path, ("links", 4, "host"))
    assert found["overflow"] == 0
    assert found["overlaps"] == []
    assert found["requests"] == []
    ascending = [float(text) for text in found["ascending"]]  # type: ignore[attr-defined]
    assert ascending == sorted(ascending)
    assert found["descending"] == list(reversed(found["ascending"])) or ascending[0] == ascending[1]  # type: ignore[call-overload]
    assert found["sorted"] == "ascending"
    assert 0 < int(str(found["visible"])) < len(ascending)


def test_dark_is_dark(tmp_path: Path) -> None:
    html.write(synthetic().result(), tmp_path / "report.html")
    light = probe(tmp_path / "report.html", 1440, tmp_path, ("links", 4, "host"))
    dark = probe(
        tmp_path / "report.html", 1440, tmp_path, ("links", 4, "host"), "--blink-settings=preferredColorScheme=0"
    )
    assert light["scheme"] == "rgb(255, 255, 255)"
    assert dark["scheme"] == "rgb(20, 24, 29)"


@pytest.mark.parametrize("width", [1440, 390])
def test_the_comparison_fits_its_width(width: int, tmp_path: Path) -> None:
    html.write(compare(synthetic().variants()), tmp_path / "compare.html")
    found = probe(tmp_path / "compare.html", width, tmp_path, ("comparison", 1, "energy"))
    assert found["overflow"] == 0
    assert found["overlaps"] == []


def study() -> StudyResult:
    """Return a study of twelve points, two of which failed, with names that would like to be markup."""
    rows = []
    for number in range(12):
        failed, kind = number % 6 == 5, ("<b>air", "water", "immersion")[number % 3]
        told = ("failed", "<i>too hot") if failed else ("done", "")
        fixed = (number, f"{number:032x}", *told, "d", 1, 0.5, "")
        shares = (0.2 + 0.05 * number, 0.9 - 0.05 * number)
        rows.append((*fixed, float(number), kind, *((None,) * 4 if failed else (number - 3.0, 12.0 - number, *shares))))
    names = ["site.cost", "site.energy", "capacity.power", "capacity.cooling"]
    frame = pd.DataFrame(rows, columns=[*FIXED, "cluster.count", "site.cooling.kind", *names])
    frame.attrs["units"] = dict(zip(names, ("USD", "J", "1", "1"), strict=True))
    about = {"start": "2026-07-01T00:00:00+02:00", "base": "<u>x.yaml", "constraints": ["capacity.power <= 0.7"]}
    return StudyResult("halls<script>", ("cluster.count", "site.cooling.kind"), frame, about)


def pages(folder: Path) -> dict[str, tuple[Path, tuple[str, int, str]]]:
    """Write the page of each kind; with each come a table, the column to sort by, and a word to filter by."""
    html.write(synthetic().result(name="<b>evil"), folder / "run.html", outlook=Outlook((parse("<b>g: 9 %/year"),)))
    html.write(compare(synthetic().variants()), folder / "comparison.html")
    html.write_study(study(), folder, page_path=folder / "study.html")
    return {
        "run": (folder / "run.html", ("capacity", 4, "")),
        "comparison": (folder / "comparison.html", ("headline", 2, "energy")),
        "study": (folder / "study.html", ("capacity", 2, "immersion")),
    }


@pytest.mark.parametrize("kind", ["run", "comparison", "study"])
@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_every_kind_of_page_fits_sorts_and_filters(kind: str, width: int, tmp_path: Path) -> None:
    page, table = pages(tmp_path)[kind]
    found = probe(page, width, tmp_path, table)
    assert found["overflow"] == 0
    assert found["overlaps"] == []
    assert found["requests"] == []
    ascending = [float(text) for text in found["ascending"]]  # type: ignore[attr-defined]
    assert ascending == sorted(ascending)
    assert found["descending"] == sorted(found["ascending"], key=float, reverse=True)  # type: ignore[call-overload]
    assert 0 < int(str(found["visible"])) < len(ascending) or not table[2]


@pytest.mark.parametrize("kind", ["run", "comparison", "study"])
def test_every_kind_of_page_is_dark_in_the_dark_and_logs_nothing(kind: str, tmp_path: Path) -> None:
    page, table = pages(tmp_path)[kind]
    dark = probe(page, 1440, tmp_path, table, "--blink-settings=preferredColorScheme=0")
    assert dark["scheme"] == "rgb(20, 24, 29)"
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", f"file://{page}"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stderr
    assert [line for line in said.splitlines() if "CONSOLE" in line] == []


@pytest.mark.parametrize("kind", ["run", "comparison", "study"])
def test_every_kind_of_page_prints(kind: str, tmp_path: Path) -> None:
    page, _ = pages(tmp_path)[kind]
    target = tmp_path / "page.pdf"
    chromium(tmp_path / "profile", "--no-pdf-header-footer", f"--print-to-pdf={target}", f"file://{page}")
    assert 2 <= len(re.findall(rb"/Type\s*/Page[^s]", target.read_bytes())) <= 18
    # A sheet that holds a line or two of what broke off is a waste of paper; the last one ends where the page ends.
    *sheets, last = printed(target)
    assert min(sheets) > 0.4, sheets
    assert last > 0.05


def printed(document: Path) -> list[float]:
    """Return how far down each sheet has ink, as a share of its height."""
    if shutil.which("pdftoppm") is None:
        pytest.skip("poppler is not installed")
    subprocess.run(["pdftoppm", "-r", "20", "-gray", str(document), str(document.with_suffix(""))], check=True)
    shares = []
    for path in sorted(document.parent.glob(f"{document.stem}-*.pgm")):
        _, size, _, pixels = path.read_bytes().split(b"\n", 3)
        width, height = map(int, size.split())
        rows = np.frombuffer(pixels, np.uint8).reshape(height, width).min(axis=1)
        shares.append(float(np.flatnonzero(rows < 200).max() + 1) / height)
    return shares


def test_the_page_to_explore_logs_nothing(tmp_path: Path) -> None:
    pytest.importorskip("plotly")
    page = interactive.write(synthetic().result(), tmp_path / "explore.html", Outlook())
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=5000", "--dump-dom", f"file://{page}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    assert done.stdout.count("main-svg") >= 4


def test_the_report_prints(tmp_path: Path) -> None:
    html.write(synthetic().result(), tmp_path / "report.html")
    target = tmp_path / "report.pdf"
    chromium(
        tmp_path / "profile", "--no-pdf-header-footer", f"--print-to-pdf={target}", f"file://{tmp_path}/report.html"
    )
    pages = len(re.findall(rb"/Type\s*/Page[^s]", target.read_bytes()))
    assert 5 <= pages <= 18
