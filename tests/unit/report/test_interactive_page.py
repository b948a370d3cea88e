"""The page to explore: it works offline, escapes names, and says what to install where Plotly is missing."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from dcsim.errors import InputError
from dcsim.report import interactive
from dcsim.report.capacity import Outlook
from dcsim.results import Result, compare
from dcsim.results.growth import parse

EVIL = "</script><b>evil"


def test_without_plotly_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)
    with pytest.raises(InputError, match=r'pip install "dcsim\[web\]"'):
        interactive.plotly()


@pytest.mark.skipif(importlib.util.find_spec("plotly") is None, reason="Plotly is not installed")
def test_pages_of_a_run_and_of_a_comparison(result: Result, synthetic: ModuleType, tmp_path: Path) -> None:
    series = result.table("series").copy()
    series.loc[series["name"] == "host", "name"] = EVIL
    series.attrs = result.table("series").attrs
    evil = Result(EVIL, "", result.metrics, {**result.tables, "series": series}, result.manifest, result.scenario_text)
    text = interactive.write(evil, tmp_path / "run.html", Outlook()).read_text("utf-8")
    assert EVIL not in text
    assert 'src="http' not in text
    assert all(f'id="{name}"' in text for name in ("demand", "power", "growth", "links"))
    both = compare(synthetic.variants(), [EVIL, "b", "c", "d"])
    assert EVIL not in interactive.write(both, tmp_path / "both.html", Outlook()).read_text("utf-8")


@pytest.mark.skipif(importlib.util.find_spec("plotly") is None, reason="Plotly is not installed")
def test_a_comparison_grows_as_it_is_told(synthetic: ModuleType, tmp_path: Path) -> None:
    both = compare(synthetic.variants(), ["a", "b", "c", "d"])
    text = interactive.write(both, tmp_path / "both.html", Outlook((parse("double: 100 %/year"),))).read_text("utf-8")
    assert 'id="growth"' in text
    assert re.findall(r'"label":"(\w+)', text) == ["double"]
