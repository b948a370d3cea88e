"""A study of the smallest scenario that trains something."""

from __future__ import annotations

from pathlib import Path

import pytest

SCENARIO = """\
dcsim: 1
name: tiny
cluster:
  servers: [{name: train, type: dgx-h100, count: 2}]
jobs:
  - name: digits
    model: mlp-mnist
    batch: {global: 64, micro: 4}
    parallel: {data: 16}
    steps: 4
"""

STUDY = """\
dcsim: 1
study: tiny-study
base: tiny.yaml
axes:
  jobs.digits.steps: {range: [1, 12], step: 1}
keep: [jobs.*.step_time, site.energy, run.duration]
"""


@pytest.fixture
def study_file(tmp_path: Path) -> Path:
    """Return the path of a study of twelve points."""
    (tmp_path / "tiny.yaml").write_text(SCENARIO)
    path = tmp_path / "study.yaml"
    path.write_text(STUDY)
    return path
