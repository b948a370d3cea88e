"""The synthetic run that the tests of the report share."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from dcsim.results import Result


def load_synthetic() -> ModuleType:
    """Return the module beside this file; the tests are no package."""
    spec = importlib.util.spec_from_file_location("synthetic", Path(__file__).with_name("synthetic.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def synthetic() -> ModuleType:
    return load_synthetic()


@pytest.fixture(scope="session")
def result(synthetic: ModuleType) -> Result:
    found: Result = synthetic.result()
    return found
