# Two commands are enough: `make demo` shows the main job, `make test` proves it.
PYTHON ?= python3
BIN := .venv/bin
# What the installed package is built from: a change here means install again.
BUILT_FROM := pyproject.toml setup.py $(wildcard ext/*) $(wildcard protos/swipegate/v1/*) $(wildcard src/swipegate/core/*.pxd)

.PHONY: demo serve test test-floors lint clean

demo: .venv/installed
	$(BIN)/swipegate demo

serve: .venv/installed
	$(BIN)/swipegate serve

test: .venv/installed-test
	$(BIN)/pytest

# The oldest versions that pyproject.toml allows, on what speaks to other libraries.
test-floors: .venv/installed-test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv/floors
	$(BIN)/uv pip install --quiet --python .venv/floors/bin/python --resolution lowest-direct --editable .
	$(BIN)/uv pip install --quiet --python .venv/floors/bin/python --group test
	.venv/floors/bin/pytest -m "not slow" tests/api tests/cli tests/domain tests/service tests/store tests/devices

lint: .venv/installed-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/cython-lint ext src/swipegate/core
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code

clean:
	rm -rf .venv build dist src/*.egg-info src/swipegate/v1 src/swipegate/core/*.so

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "swipegate needs Python 3.11 or later: make PYTHON=/path/to/python $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip

.venv/installed: .venv/bin/python $(BUILT_FROM)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/installed-%: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group $*
	@touch $@
