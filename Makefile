# Needs Python 3.11 or newer with pip, and nothing else: the rest is put into .venv the first time.

SHELL := /bin/sh
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
SEED ?= 1
SEEDS ?= 1000
JOBS ?= 3
UV ?= uv

.DEFAULT_GOAL := help
.PHONY: help demo test test-all check format bench fuzz planted tour lock clean

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/.runtime ## start three nodes on this machine and open the console on them
	@$(BIN)/iwdc-distributed demo

test: check ## lint, type-check and run the tests
	@echo "Running the tests."
	@$(BIN)/python -m pytest -q -n $(JOBS)

test-all: check ## the same with the slow tests
	@echo "Running all tests, the slow ones too."
	@$(BIN)/python -m pytest -q -n $(JOBS) -m ""

check: .venv/.dev ## lint, formatting, types, direction of imports
	@echo "Checking style, types and the direction of imports."
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check . || { echo "Not formatted as 'make format' would."; exit 1; }
	@$(BIN)/mypy --no-error-summary
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/lint-imports --no-logo

format: .venv/.dev ## format the code
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format .

planted: .venv/.dev ## hunt every planted bug of the protocol, and print what found it
	@$(BIN)/python -m tests.simulation.planted

bench: .venv/.dev ## measure this machine, beside etcd where it is installed
	@$(BIN)/python -m bench

fuzz: .venv/.dev ## simulate SEEDS=1000 clusters with faults, from SEED=1 on; shrink what fails
	@$(BIN)/python -m node.simulation --seed $(SEED) --seeds $(SEEDS) --shrink

tour: .venv/.dev ## take the pictures and the recording of the console anew
	@$(BIN)/python -m docs.tour

lock: ## write the lock files anew (needs uv)
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
		--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
		pyproject.toml --extra build --output-file requirements.lock
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
		--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
		pyproject.toml --extra build --extra dev --constraint requirements.lock --output-file requirements-dev.lock

clean: ## remove the environment and all caches
	rm -rf .venv build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.made:
	@python=; for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do \
		if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			python=$$candidate; break; \
		fi; \
	done; \
	if [ -z "$$python" ]; then \
		echo "Python 3.11 or newer is needed and was not found on the PATH." >&2; exit 1; \
	fi; \
	echo "Making a Python environment in .venv with $$($$python --version)."; \
	$$python -m venv --clear .venv || { \
		echo "It failed. On Debian and Ubuntu the package python3-venv is needed." >&2; exit 1; \
	}
	@touch $@

.venv/.runtime: .venv/.made requirements.lock pyproject.toml
	@echo "Installing the libraries of requirements.lock into .venv (once; needs a package index)."
	@$(PIP) --require-hashes --requirement requirements.lock
	@echo "Installing the project."
	@$(PIP) --editable . --no-deps --no-build-isolation
	@$(BIN)/python -m compileall -q node iwdc_console
	@touch $@

.venv/.dev: .venv/.made requirements-dev.lock pyproject.toml
	@echo "Installing the libraries and tools of requirements-dev.lock into .venv (once; needs a package index)."
	@$(PIP) --require-hashes --requirement requirements-dev.lock
	@echo "Installing the project."
	@$(PIP) --editable . --no-deps --no-build-isolation
	@$(BIN)/python -m compileall -q node iwdc_console
	@touch $@ .venv/.runtime
