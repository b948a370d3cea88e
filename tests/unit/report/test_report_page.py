"""The page: self-contained, valid, escaped, small; and the words and numbers on it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import pytest

from dcsim.report import headline, html, style, tables
from dcsim.results import Metric, Result, compare, store

VOID = {"meta", "link", "input", "br", "img", "hr", "path", "use", "rect"}


class Outline(HTMLParser):
    """Collects ids, references and texts, and checks that elements are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.addresses: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            elif name in ("href", "aria-controls", "aria-labelledby", "aria-describedby"):
                self.references.append((value or "").removeprefix("#"))
            if name in ("href", "src"):
                self.addresses.append(value or "")
            self.references += re.findall(r"url\(#([^)]+)\)", value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def outline(path: Path) -> Outline:
    found = Outline()
    found.feed(path.read_text("utf-8"))
    assert found.open == []
    return found


@pytest.fixture(scope="module")
def page(result: Result, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = store.save(result, tmp_path_factory.mktemp("runs") / "run")
    html.write(result, folder / "report.html")
    return folder / "report.html"


def test_the_page_is_whole_and_loads_nothing(page: Path) -> None:
    found = outline(page)
    assert len(found.ids) == len(set(found.ids))
    assert set(found.references) - {"data:,"} <= set(found.ids)
    assert all(address.startswith(("#", "data:")) for address in found.addresses)
    text = page.read_text("utf-8")
    assert "http" not in text
    assert "@import" not in text
    assert len(text.encode()) < 3_000_000


def test_the_page_answers_in_order(page: Path) -> None:
    text = "".join(outline(page).text)
    assert "16 dgx-h100 servers" in text
    text = text[text.index("Decision numbers") :]  # behind the table of contents
    wanted = [
        "Decision numbers",
        "86.9 s",
        "What limits",
        "11 % left",
        "Over time",
        "Where the time",
    ]
    wanted += [
        "Learning",
        "All operations",
        "Links, the most loaded first",
        "Costs and carbon",
        "Trust",
        "joules in = heat out",
        "All metrics",
        "Inputs",
    ]
    places = [text.index(words) for words in wanted]
    assert places == sorted(places)
    assert "oversubscription: 1" in text
    assert "dcsim run scenario.yaml" in text
    assert "differs from the full-batch gradient by 3.1e-07" in text


def test_figures_lie_beside_the_page_of_a_run_folder_only(page: Path, result: Result, tmp_path: Path) -> None:
    names = {path.name for path in (page.parent / "figures").iterdir()}
    assert {"over-time.svg", "time-by-part.svg", "energy-flow.svg", "learning.svg", "link-load.svg"} <= names
    html.write(result, tmp_path / "elsewhere.html")
    assert [path.name for path in tmp_path.iterdir()] == ["elsewhere.html"]


def test_a_stored_run_gives_the_same_page(page: Path, tmp_path: Path) -> None:
    html.write(store.load(page.parent), tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text() == page.read_text()


def test_user_text_is_escaped(synthetic: ModuleType, tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>\"'&"
    frames = {}
    for name, frame in synthetic.tables().items():
        changed = frame.copy()
        for column in ("detail", "what", "lifted_by", "item", "link", "target", "source", "name", "part", "bound"):
            if column in changed and changed[column].dtype.kind not in "iuf":
                changed[column] = evil
        frames[name] = changed
    manifest = synthetic.manifest() | {"warnings": [evil], "weights": {evil: evil}}
    metrics = {evil: Metric(1.0, "s", bound_by=evil), f"jobs.{evil}.finish": Metric(1.0, "s")}
    html.write(
        synthetic.result(name=evil, tables=frames, manifest=manifest, metrics=metrics, scenario_text=f"name: {evil!r}"),
        tmp_path / "x.html",
    )
    text = (tmp_path / "x.html").read_text()
    assert "<script>alert" not in text
    assert text.count("<script>") == 1
    outline(tmp_path / "x.html")


def test_an_empty_result_has_a_page(tmp_path: Path) -> None:
    html.write(Result("empty", "", {}, {}, partial=True), tmp_path / "empty.html")
    text = "".join(outline(tmp_path / "empty.html").text)
    assert "partial: interrupted" in text
    assert "The run reports no metrics." in text


def test_the_comparison_page(synthetic: ModuleType, tmp_path: Path) -> None:
    html.write(compare(synthetic.variants()), tmp_path / "compare.html")
    found = outline(tmp_path / "compare.html")
    text = "".join(found.text)
    assert "http" not in (tmp_path / "compare.html").read_text()
    assert "cluster.network.oversubscription" in text
    assert "step time changes by +88 % with oversubscription-8 against oversubscription-1" in text


def test_one_result_or_equal_results_compare(result: Result, tmp_path: Path) -> None:
    for results in ([result], [result, result]):
        html.write(compare(results), tmp_path / "compare.html")
        assert "differ" in "".join(outline(tmp_path / "compare.html").text)


def test_badges_tell_the_verdict(synthetic: ModuleType) -> None:
    failed = synthetic.manifest() | {
        "checks": [{"name": "x", "left": 1.0, "right": 2.0, "unit": "J", "residual": 0.5, "passed": False}]
    }
    tight = synthetic.frame("limits", [("UPS", 205e3, 204e3, "W", -0.005, "a larger UPS")])
    found = headline.badges(synthetic.result(manifest=failed, tables={"limits": tight}, partial=True))
    assert [(badge.text, badge.mood) for badge in found] == [
        ("partial: interrupted", "bad"),
        ("1 of 1 checks failed", "bad"),
        ("over limit: UPS", "bad"),
        ("1 warning", "warn"),
    ]


def test_badges_tell_first_why_a_job_was_killed(synthetic: ModuleType) -> None:
    warnings = ["a was killed after 3 of 9 steps: no path past the dead link x before its transfers timed out", "other"]
    found = headline.badges(synthetic.result(manifest=synthetic.manifest() | {"warnings": warnings}))
    assert found[1].text == "a killed: no path past the dead link x before its transfers timed out"
    assert (found[1].mood, found[-1].text) == ("bad", "1 warning")


def test_tiles_carry_interval_provenance_and_bound() -> None:
    metrics = {
        "jobs.a.energy": Metric(1.0, "J"),
        "jobs.a.mfu": Metric(0.364, "1", 0.35, 0.38, "calibrated", "HBM bandwidth"),
        "site.pue": Metric(1.16, "1"),
    }
    mfu, pue = headline.tiles(Result("x", "", metrics, {}))
    assert (mfu.value, mfu.interval, mfu.basis.provenance, mfu.bound_by) == (
        "36.4 %",
        "35 – 38 %",
        "calibrated",
        "HBM bandwidth",
    )
    assert pue.value == "1.16"


def test_a_temperature_limit_is_a_difference(result: Result) -> None:
    inlet = next(limit for limit in headline.limits(result) if limit.what == "server inlet")
    assert headline.sentence(inlet) == "Server inlet: 10.4 K left, 24.6 °C of 35 °C; lifted by colder supply air."


def test_counts_have_all_their_digits(synthetic: ModuleType) -> None:
    rows = [("accelerators in use", 16383.0, 16384.0, "1", 1 / 16384, "more servers")]
    (limit,) = headline.limits(synthetic.result(tables={"limits": synthetic.frame("limits", rows)}))
    assert limit.used == "16,383 of 16,384"


def test_a_long_table_is_cut_and_says_so(synthetic: ModuleType) -> None:
    rows = [(float(i), "checkpoint", "a", "") for i in range(1000)]
    view = tables.view(synthetic.result(tables={"events": synthetic.frame("events", rows)}), "events")
    assert len(view.rows) == 250
    assert view.note == "The first 250 of 1000 rows; all are in tables/events.parquet."


def test_a_column_has_one_unit(result: Result) -> None:
    view = tables.view(result, "links", sort="peak_utilization")
    heads = {column.title: column.unit for column in view.columns}
    assert heads["capacity"] == "GB/s"
    assert heads["mean load"] == "%"
    peaks = [float(row[5].key) for row in view.rows]
    assert peaks == sorted(peaks, reverse=True)


def luminance(color: str) -> float:
    """Relative luminance by WCAG 2.2."""
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("side", [0, 1])
def test_colors_stand_out_by_3_to_1_and_text_by_4_5(side: int) -> None:
    paper = luminance(style.SCHEME["paper"][side])
    for role, colors in style.SCHEME.items():
        if role in ("paper", "grid"):
            continue
        one = luminance(colors[side])
        contrast = (max(one, paper) + 0.05) / (min(one, paper) + 0.05)
        assert contrast >= (4.5 if role in ("ink", "muted") else 3.0), role


def test_no_two_roles_share_a_color() -> None:
    light = [colors[0] for colors in style.SCHEME.values()]
    assert len(light) == len(set(light))


def test_meanings_of_names() -> None:
    wanted = {
        "accelerators": "compute",
        "FLOPs": "compute",
        "ups loss": "power",
        "chiller": "cooling",
        "crah fans": "cooling",
        "exposed communication": "communication",
        "nics": "communication",
        "lost work": "fault",
        "data stall": "storage",
        "idle": "idle",
        "accelerators idle": "idle",
        "something": "idle",
    }
    assert {name: style.role_of(name) for name in wanted} == wanted


def test_the_page_warns_of_different_carbon_scopes(synthetic: ModuleType, tmp_path: Path) -> None:
    runs = [
        synthetic.result(name=scope, manifest={"carbon_scope": scope}) for scope in ("average-lifecycle", "marginal")
    ]
    html.write(compare(runs), tmp_path / "c.html")
    assert "carbon is counted by different scopes" in (tmp_path / "c.html").read_text("utf-8")
    html.write(runs[1], tmp_path / "r.html")
    assert "by the scope marginal" in (tmp_path / "r.html").read_text("utf-8")
