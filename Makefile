# Two words to begin with: `make demo`, `make test`.
# Needs python3 >= 3.11 and make; uses uv where it is installed.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
ARGS ?=
KILLS ?= 100

.DEFAULT_GOAL := help
.PHONY: help setup demo run test cover lint type check fmt bench chaos simulate mutants lock schema clean deb

help: ## what each word does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.dev ## everything that developing needs, into .venv

demo: $(VENV)/.run ## the whole program on a recording: no key, no internet
	@$(BIN)/monitor demo --exit $(ARGS)

run: $(VENV)/.run ## the daemon on config/monitor.yaml
	@$(BIN)/monitor run -c config/monitor.yaml $(ARGS)

test: $(VENV)/.dev ## all tests, no network, some six minutes
	@$(BIN)/pytest -q -n 2 $(ARGS)

# What plays for minutes says nothing of a branch that a test of its own does not.
PLAYED := tests/test_simulation.py tests/test_crash_points.py tests/test_chaos.py

cover: $(VENV)/.dev ## the tests but the played ones, and which branches none of them takes
	@$(BIN)/pytest -q -n 2 --cov --cov-report=term:skip-covered $(PLAYED:%=--ignore %) $(ARGS)

lint: $(VENV)/.dev ## style and the direction of imports
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports

type: $(VENV)/.dev ## strict types, of the tests too
	@$(BIN)/mypy

check: lint type test ## what is asked of a change

fmt: $(VENV)/.dev ## let the formatter have its way
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

bench: $(VENV)/.dev ## throughput, latency, memory and start, as one table
	@$(BIN)/python -m tests.bench $(ARGS)

mutants: $(VENV)/.dev ## plant bugs into a copy of the program: the tests must catch each
	@$(BIN)/python -m tests.mutants $(ARGS)

simulate: $(VENV)/.dev ## the program in a played world; SEEDS=2000 MINUTES=90, ARGS="--crash-points all"
	@$(BIN)/python -m tests.simulation $(if $(SEEDS),--seeds $(SEEDS),$(if $(ARGS),,--seeds 60)) \
	    $(if $(MINUTES),--minutes $(MINUTES)) $(ARGS)

chaos: $(VENV)/.dev ## kill real processes at work; KILLS=5000 SEED=1 for a long run
	@$(BIN)/python -m tests.chaos --kills $(KILLS) $(if $(SEED),--seed $(SEED))

schema: $(VENV)/.run ## write config/schema.json anew
	@$(BIN)/monitor schema > config/schema.json

lock: $(VENV)/.dev ## resolve the dependencies anew (needs uv)
	@uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	    --no-header --no-annotate -q --extra embedded --group build -o requirements.lock
	@uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	    --no-header --no-annotate -q --extra embedded --group dev -o requirements-dev.lock

deb: $(VENV)/.run ## a Debian package in dist/, for the Python of this machine
	@deploy/deb

clean: ## remove what the other words made, but no data of yours
	rm -rf $(VENV) build dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.run: requirements.lock pyproject.toml
	@$(call install,requirements.lock)
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml
	@$(call install,requirements-dev.lock)
	@touch $(VENV)/.run $@

# Bytecode is compiled now: a service that may not write could never do it later.
ifneq ($(UV),)
define install
set -e; echo "Setting up $(VENV) from $(1) ..."; \
test -x $(BIN)/python || uv venv -q --python "$$(command -v $(PYTHON))" $(VENV); \
uv pip install -q --python $(BIN)/python --compile-bytecode --require-hashes -r $(1); \
uv pip install -q --python $(BIN)/python --no-build-isolation --no-deps -e .
endef
else
define install
set -e; echo "Setting up $(VENV) from $(1) ..."; \
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }; \
test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || { echo "Install venv first, on Debian and Ubuntu: apt install python3-venv"; exit 1; }; \
$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r $(1); \
$(BIN)/pip install -q --disable-pip-version-check --no-build-isolation --no-deps -e .
endef
endif
