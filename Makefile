# Everything installs itself first; `make help` lists what there is. Needs make, Python 3.11 or later and a package index.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory
.SUFFIXES:
# Where it is set, every process compiles all modules anew as it starts: the service has seven, the tests start hundreds.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
# The first of these that runs and is new enough; a name alone may be a stub that starts nothing.
PYTHONS := python3.11 python3.12 python3.13 python3.14 python3 python
NEW_ENOUGH := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
TOO_OLD := Numberyard needs Python 3.11 or later, with venv and pip (Debian: apt install python3-venv); \
set PYTHON=/path/to/python if it is not in PATH.
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --no-input
# The locks are complete, so nothing is resolved: older pips, asked for `pydantic[email]` by a dependency, take the newest
# release instead of the locked one and then refuse it for want of a hash.
LOCKED := install --require-hashes --no-deps --requirement
COMPILE := CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --upgrade --allow-unsafe --generate-hashes \
  --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host
OURS := pyproject.toml --build-deps-for editable

.PHONY: help install demo test test-long check static coverage nightly chaos chaosstore chaoshosts up bench lock docs clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

install: $(VENV)/.runtime ## make .venv with what the service needs

demo: $(VENV)/.runtime ## import 100,000 generated rows on servers of its own, show the result, stop everything
	@$(BIN)/numberyard demo

up: $(VENV)/.runtime ## run the service on port 8080 with a small tenant tree; data in ./var; Ctrl-C stops it
	@$(BIN)/numberyard up --demo

# CHECKED=1: without the tests that `make check` has just run.
test: $(VENV)/.dev ## run the tests, in less than ten minutes
	@$(BIN)/python -m pytest -m "not long$(if $(CHECKED), and not measured)"

test-long: $(VENV)/.dev ## run the long tests: attacks on the whole service, the portal in a browser, LibreOffice, large comparisons
	@$(BIN)/python -m pytest -m long

check: static coverage ## lint, types, imports, generated tables, coverage of schemas and stages

static: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m tests.contract.doc_tables

coverage: $(VENV)/.dev
	rm -f .coverage .coverage.*
	$(BIN)/coverage run -m pytest -q -m 'measured and not long' tests/unit
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

nightly: $(VENV)/.dev ## look farther with the property tests: 200 sequences of jobs, large trees, 100,000 cells, new ones every time
	@NUMBERYARD_HYPOTHESIS=nightly $(BIN)/python -m pytest --timeout 1800 tests/integration/test_ruleset.py \
	  tests/integration/test_isolation.py tests/unit/test_number_cells.py tests/integration/test_column_readings.py

chaos: $(VENV)/.dev ## hurt the whole service in every way, large: SEED=1 repeats a run, KILLS=200 processes at random
	@$(BIN)/python -m tests.chaos.run $(if $(SEED),--seed $(SEED)) $(if $(KILLS),--kills $(KILLS)) $(if $(ONLY),--only "$(ONLY)")

chaosstore: $(VENV)/.dev ## the same on an object store that refuses, is away or silent: ROWS=150000 PADDING=200 (MiB)
	@$(BIN)/python -m tests.chaos.object_store $(if $(ROWS),--rows $(ROWS)) $(if $(PADDING),--padding $(PADDING))

chaoshosts: $(VENV)/.dev ## the same on eight hosts that are killed, paused and cut off: ROWS=300000 FAULTS=60
	@$(BIN)/python -m tests.chaos.hosts $(if $(ROWS),--rows $(ROWS)) $(if $(FAULTS),--faults $(FAULTS))

bench: $(VENV)/.dev ## measure imports, waits, memory and peers against their limits: ONLY=import,small SCALE=0.01 for less
	@$(BIN)/python -m tests.benchmarks.run $(if $(ONLY),--only "$(ONLY)") $(if $(SCALE),--scale $(SCALE)) $(if $(ROUNDS),--rounds $(ROUNDS))

docs: $(VENV)/.dev ## write the generated pages of docs/reference
	@$(BIN)/python -m tests.contract.doc_tables --write

lock: $(VENV)/.dev ## resolve the dependencies anew and write the lock files (use the oldest Python supported)
	@$(COMPILE) $(OURS) --output-file requirements.lock
	@$(COMPILE) $(OURS) --extra tracing --extra sentry --constraint requirements.lock --output-file requirements-extras.lock
	@$(COMPILE) $(OURS) --extra dev --extra tracing --extra sentry --constraint requirements-extras.lock --output-file requirements-dev.lock
	@for peer in tests/benchmarks/peers/*.in; do \
	  $(COMPILE) "$$peer" --constraint requirements.lock --output-file "$${peer%.in}.lock"; \
	done

clean: ## remove .venv and what tools leave behind (not ./var: that is data)
	@rm -rf $(VENV) .bench .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find schemas tests webhook worker -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/.python:
	@if $(BIN)/python -c '$(NEW_ENOUGH)' >/dev/null 2>&1 && $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	  touch $@; exit 0; \
	fi; \
	python="$(PYTHON)"; \
	for name in $(if $(PYTHON),,$(PYTHONS)); do \
	  if "$$name" -c '$(NEW_ENOUGH)' >/dev/null 2>&1; then python="$$name"; break; fi; \
	done; \
	if [ -z "$$python" ] || ! "$$python" -c '$(NEW_ENOUGH)' >/dev/null 2>&1; then echo "$(TOO_OLD)" >&2; exit 1; fi; \
	rm -rf $(VENV); \
	echo "Making $(VENV) with $$("$$python" --version) ..."; \
	"$$python" -m venv $(VENV); \
	touch $@

$(VENV)/.runtime: $(VENV)/.python requirements.lock pyproject.toml
	@echo "Installing what the service needs ..."
	@$(PIP) $(LOCKED) requirements.lock
	@PYTHONWARNINGS=ignore $(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.lock
	@echo "Installing what the tests and checks need ..."
	@$(PIP) $(LOCKED) requirements-dev.lock
	@touch $@
