# `make demo` and `make test` are all a newcomer needs; both set themselves up.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# Tests wait more than they compute, so that two cores are enough for eight at once.
WORKERS := --numprocesses 8 --dist worksteal
# Else each of them compiles all tests anew, each time.
export PYTHONDONTWRITEBYTECODE :=
# Without what needs a real NPM, which `make test-live` names.
SHORT := not long and not live

.DEFAULT_GOAL := help
.PHONY: help demo test test-long test-live bench lint compiled format docs clean

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "proxysync needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(READY) ## watch a YAML file become working reverse proxies, on a built-in sandbox
	@$(BIN)/proxysync demo

test: $(READY) ## lint, format check, strict types, import contracts and all tests
	@$(MAKE) --no-print-directory --jobs=2 lint compiled
	$(BIN)/pytest -m "$(SHORT)" $(WORKERS)

test-long: $(READY) ## what takes longer: each step to be killed at, thousands of random scenarios
	$(BIN)/pytest -m long $(WORKERS)
	PROXYSYNC_TEST_EXAMPLES=2000 $(BIN)/pytest tests/apply/test_convergence.py

test-live: $(READY) ## the tests marked `live`, also against PROXYSYNC_TEST_NPM_URL
	$(BIN)/pytest -m live --timeout 300

bench: $(READY) ## measure speed, memory and scale beside what else does the same; under ten minutes
	$(BIN)/python -m benchmarks

lint: $(READY) ## ruff, format check, mypy and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# Once, on the core that mypy leaves, and not by each worker; what is wrong shows in the tests.
compiled: $(READY)
	@$(BIN)/pytest --collect-only -qq -m "$(SHORT)" > /dev/null 2>&1 || true

format: $(READY) ## format the code and mend what ruff can mend
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

docs: $(READY) ## write again what is generated in docs and the README
	$(BIN)/python -m proxysync.model.catalogue > docs/events.md
	$(BIN)/python -m tools.file_reference
	$(BIN)/python -m tools.session

clean: ## remove everything that make made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
