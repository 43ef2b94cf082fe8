# Two commands are enough: `make demo` shows the main job, `make test` proves it.
PYTHON ?= python3
BIN := .venv/bin
# What the installed package is built from: a change here means install again.
BUILT_FROM := pyproject.toml setup.py $(wildcard ext/*) $(wildcard protos/swipegate/v1/*) $(wildcard src/swipegate/core/*.pxd)

# Asserts on seconds, which sanitizers multiply.
TIMED := tests/core/test_flux.py::test_a_long_recording_of_garbage_takes_bounded_time
# Of make fuzz: seconds a target, and which; all unless given.
SECONDS ?= 60
TARGETS ?=

.PHONY: demo serve test test-floors sanitize fuzz lint bench bench-robustness bench-speed clean

demo: .venv/installed
	$(BIN)/swipegate demo

serve: .venv/installed
	$(BIN)/swipegate serve

# Most tests wait, for devices and databases: more of them than there are processors run at a time.
test: .venv/installed-test
	$(BIN)/pytest --numprocesses 3 --dist worksteal

# The oldest versions that pyproject.toml allows, on what speaks to other libraries.
test-floors: .venv/installed-test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv/floors
	$(BIN)/uv pip install --quiet --python .venv/floors/bin/python --resolution lowest-direct --editable .
	$(BIN)/uv pip install --quiet --python .venv/floors/bin/python --group test
	.venv/floors/bin/pytest --numprocesses 3 --dist worksteal -m "not slow" -k "not postgresql" tests/api tests/cli \
		tests/connectors tests/domain tests/service tests/store tests/devices
	.venv/floors/bin/pytest --numprocesses 3 --dist worksteal -m "not slow" -k postgresql tests/api/test_user_cards.py \
		tests/store

# Every stage on every vector, recording and property, with gcc's sanitizers, but not the twins, which they do not
# see; then what make fuzz has kept.
sanitize: build/fuzzed/built
	PYTHONPATH=build/fuzzed $(BIN)/python -m tests.fuzz.sanitized -m pytest -o faulthandler_timeout=0 \
		-k "not reference" --deselect $(TIMED) tests/core tests/conformance tests/fuzz
	PYTHONPATH=build/fuzzed $(BIN)/python -m tests.fuzz --replay

# Inputs by coverage, with the sanitizers watching.
fuzz: build/fuzzed/built
	PYTHONPATH=build/fuzzed $(BIN)/python -m tests.fuzz --seconds $(SECONDS) $(TARGETS)

lint: .venv/installed-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/cython-lint ext src/swipegate/core
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code

# Measure everything anew and rewrite the tables of docs/. SWIPES=100 makes it short.
SWIPES ?= 1000
bench: bench-robustness bench-speed

bench-robustness: .venv/installed-bench
	$(BIN)/python -m benchmarks.robustness --swipes $(SWIPES)

bench-speed: .venv/installed-bench
	$(BIN)/python -m benchmarks.core
	$(BIN)/python -m benchmarks.peers
	$(BIN)/python -m benchmarks.scaling
	$(BIN)/python -m benchmarks.decode_swipes
	$(BIN)/python -m benchmarks.devices

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

# The core with sanitizers and coverage; beside the installed one, not in its place.
build/fuzzed/built: .venv/installed-fuzz tests/fuzz/coverage.c $(wildcard src/swipegate/core/*.py)
	SWIPEGATE_SANITIZE=address,undefined SWIPEGATE_FUZZ=1 $(BIN)/python -m pip install --quiet \
		--disable-pip-version-check --no-deps --upgrade --target build/fuzzed .
	@touch $@

.venv/installed-%: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group $*
	@touch $@
