# What a newcomer needs: `make demo`, then `make test`. Everything installs into .venv here, nothing else is touched.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONSTRAINTS := .ci/constraints
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test check lint types imports bench bench-peers bench-heartbeat pictures docs lock clean
.DELETE_ON_ERROR:

demo: $(VENV)/demo.installed ## boot, run the shipped example on real input, show what happened, stop
	@$(BIN)/procos demo

test: lint types imports ## everything that CI runs
	$(BIN)/python -m pytest -n 2 --dist loadgroup $(PYTEST)

check: test

lint: $(VENV)/test.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/test.installed
	$(BIN)/mypy

imports: $(VENV)/test.installed
	@$(BIN)/lint-imports --no-logo

bench: $(VENV)/test.installed ## prints the figures that docs/benchmarks.md keeps
	$(BIN)/python tests/bench/measure.py
	$(BIN)/python tests/bench/routing.py --quick

bench-peers: $(VENV)/test.installed ## measures the worker against other Zeebe clients, on one engine
	$(BIN)/python tests/bench/peers.py $(PEERS)

pictures: $(VENV)/test.installed ## renders the processes that changed, for the docs (needs node)
	$(BIN)/python docs/render.py

bench-heartbeat: $(VENV)/test.installed ## measures the heartbeat: latency, a burst, rest
	$(BIN)/python tests/bench/heartbeat.py

docs: $(VENV)/test.installed ## writes the reference pages anew, from the code
	$(BIN)/python docs/generate.py

lock: ## resolves the constraints anew (needs uv)
	uv pip compile -q --upgrade --generate-hashes --universal --python-version 3.11 --no-annotate --no-header \
	  --extra engine --group build pyproject.toml -o $(CONSTRAINTS)/demo.txt
	uv pip compile -q --upgrade --generate-hashes --universal --python-version 3.11 --no-annotate --no-header \
	  --extra engine --group dev pyproject.toml -o $(CONSTRAINTS)/test.txt

clean: ## removes the virtual environment and what tools left behind
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist build

$(VENV)/python.made:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else f"ProcOS needs Python 3.11 or newer; $(PYTHON) is {sys.version.split()[0]}. Name another one: make PYTHON=python3.12 ...")'
	@echo "making a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/demo.installed: $(VENV)/python.made $(CONSTRAINTS)/demo.txt pyproject.toml
	@echo "installing ProcOS with its locked dependencies"
	@test -e $(VENV)/test.installed || $(PIP) install --require-hashes -r $(CONSTRAINTS)/demo.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/test.installed: $(VENV)/python.made $(CONSTRAINTS)/test.txt pyproject.toml
	@echo "installing ProcOS with what its tests need"
	@$(PIP) install --require-hashes -r $(CONSTRAINTS)/test.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@
