"""Every command, scenario and program on a page of the documentation works as it stands."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OPTIMIZED = ""  # flags of XLA: what a run executes, it executes often
PAGES = [ROOT / "README.md", ROOT / "scenarios" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if "generated" not in page.parts]
BLOCK = re.compile(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")

# Setting up is what `.ci/run` does; it is not done again for every page.
SET_UP = ("make ", "python -m pip ", ".ci/run", ".venv/bin/")


@dataclass(frozen=True)
class Block:
    language: str
    title: str
    text: str


def blocks(page: Path) -> list[Block]:
    return [Block(*found) for found in BLOCK.findall(page.read_text("utf-8"))]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def run(command: list[str], folder: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "XLA_FLAGS": OPTIMIZED}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}{done.stderr}"


def left_to_scenarios(line: str, page: str) -> bool:
    """Return whether a line runs a shipped scenario as it is and no other line of the page looks at the run.

    Every shipped scenario is run by ``test_scenarios``; those that really learn take long.
    """
    found = re.fullmatch(r"dcsim run scenarios/[\w-]+\.yaml --out (\S+)", line)
    return found is not None and page.count(found[1]) == 1


def run_line(line: str, folder: Path) -> None:
    """Run one line of a shell block, a comment at its end left out."""
    words = shlex.split(line, comments=True)
    if not words or line.startswith(SET_UP):
        return
    assert words[0] == "dcsim", f"the test does not know how to run: {line}"
    run([sys.executable, "-m", "dcsim", *words[1:]], folder)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=name)
def test_the_blocks_of_a_page_work_in_order(page: Path, tmp_path: Path) -> None:
    (tmp_path / "scenarios").symlink_to(ROOT / "scenarios")
    for block in blocks(page):
        if block.title:
            (tmp_path / block.title).write_text(block.text, encoding="utf-8")
            if block.language == "yaml":
                leave = " --allow-code" if "function:" in block.text else ""
                run_line(f"dcsim check {block.title}{leave}", tmp_path)
        elif block.language == "sh":
            for line in block.text.splitlines():
                if not left_to_scenarios(line, page.read_text("utf-8")):
                    run_line(line, tmp_path)
        elif block.language == "python":
            run([sys.executable, "-c", block.text], tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = [target for target in LINK.findall(page.read_text("utf-8")) if "://" not in target]
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert missing == []


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The generated pages by name."""
    folder = tmp_path_factory.mktemp("reference")
    run([sys.executable, "docs/generate.py", str(folder)], ROOT)
    return {file.stem: file.read_text("utf-8") for file in folder.iterdir()}


def test_the_reference_is_complete(reference: dict[str, str]) -> None:
    assert set(reference) == {"commands", "scenario", "studies", "metrics", "tables", "catalogue", "python"}
    assert "| `oversubscription` |" in reference["scenario"]
    assert "## dcsim sweep" in reference["commands"]
    assert "### h100-sxm" in reference["catalogue"]
    for name, rows in (("ScenarioError", "python"), ("axes", "studies"), ("site.pue", "metrics")):
        assert f"| `{name}` |" in reference[rows]


def test_references_to_sections_lead_to_one(reference: dict[str, str]) -> None:
    for text in reference.values():
        heads = {head.lower().replace(" ", "-") for head in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
        assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= heads


def test_every_page_can_be_reached_and_every_entry_is_there(reference: dict[str, str]) -> None:
    listed = re.findall(r"^ +- .+: (\S+\.md)$|^  - \w+: (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    entries = [page or top for page, top in listed]
    written = {str(page.relative_to(ROOT / "docs")) for page in PAGES if page.is_relative_to(ROOT / "docs")}
    assert sorted(entries) == sorted(written | {f"reference/generated/{name}.md" for name in reference})
