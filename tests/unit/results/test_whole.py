"""Files are written as a whole: what cannot be written leaves what was there, and says which file it is."""

from __future__ import annotations

import resource
import signal
from pathlib import Path

import pytest

from dcsim.command import keeping
from dcsim.results import whole


def test_a_file_that_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    """A limit of 4 KiB a file stands for a full disk."""
    path, said = tmp_path / "page.html", r"page\.html: cannot be written \(File too large\); the points are kept"
    whole.write(path, "old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    heeded = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OSError, match=said), keeping("the points are kept"):
            whole.write(path, "x" * 10_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, heeded)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.html"]


def test_what_a_link_points_to_is_written_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    whole.write(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "text"
    whole.write(Path("/dev/null"), "text")


def test_a_reader_that_left_is_no_file_that_cannot_be_written() -> None:
    with pytest.raises(BrokenPipeError) as found, keeping("all is kept"):
        raise BrokenPipeError(32, "Broken pipe")
    assert "kept" not in str(found.value)
