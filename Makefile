# Every target sets up all it needs in a virtual environment; only Python 3.11+, git, make and a compiler must be there.
PYTHON ?= python3
VENV ?= .venv
WORKERS ?= auto
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help demo test check bench docs clean

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 8

demo: $(VENV)/run.stamp ## simulate scenarios/quickstart.yaml and write its report
	$(BIN)/dcsim run scenarios/quickstart.yaml

test: $(VENV)/dev.stamp ## run the tests
	$(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 8 --dist loadfile

check: $(VENV)/dev.stamp ## lint, check types, imports and sizes
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest tests/unit/test_architecture.py

bench: $(VENV)/dev.stamp ## run the slow measurements and, with Chromium, the browser tests
	@command -v chromium chromium-browser google-chrome >/dev/null \
	  || { command -v apt-get >/dev/null && test "$$(id -u)" = 0 && apt-get install --yes --quiet chromium; } \
	  || echo "no Chromium here and no way to install it: the browser tests are skipped"
	$(BIN)/python -m pytest -m "bench or browser" -s

docs: $(VENV)/docs.stamp ## generate the reference and build the pages into site/
	$(BIN)/python docs/generate.py
	$(BIN)/zensical build --strict --config-file mkdocs.yml

clean: ## remove everything that was built, the environment too
	rm -rf $(VENV) build dist site runs docs/reference/generated
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "dcsim needs Python 3.11 or newer; name one by: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: pyproject.toml | $(BIN)/python
	$(PIP) install --editable .
	@touch $@

$(VENV)/dev.stamp: pyproject.toml | $(BIN)/python
	$(PIP) install --editable ".[dev]"
	@touch $@ $(VENV)/run.stamp

$(VENV)/docs.stamp: pyproject.toml | $(BIN)/python
	$(PIP) install --editable ".[docs]"
	@touch $@ $(VENV)/run.stamp
