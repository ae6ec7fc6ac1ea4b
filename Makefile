# Everything a person or CI runs. Each target does its own set-up; `make` alone lists them.
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
LINTED := schemas hosting messaging privacy explain services simulators local cli benchmarks tests
PRESENT := $(wildcard $(LINTED))
SEED ?= 1
ARGS ?=

.PHONY: help setup lint test test-unit test-long lock demo up bench simulate clean

help: ## lists the targets
	@sed -n 's/^\([a-z-]*\):.*## /make \1\t/p' Makefile | expand -t 20

setup: ## makes .venv with exactly what requirements.lock names; nothing to do means no time
	@sh local/setup.sh

lint: setup ## checks style, types and who may import whom
	@.venv/bin/ruff check $(PRESENT)
	@.venv/bin/ruff format --check $(PRESENT)
	@$(PYTHON) -m mypy $(PRESENT)
	@.venv/bin/lint-imports

test: setup ## everything a change must pass, at most 12 minutes: all tests but the long ones
	@$(PYTHON) -m tests.halves -m "not long" $(ARGS)

test-unit: setup ## the fast part: rules, contracts and architecture, nothing started
	@$(PYTHON) -m pytest tests/unit tests/contract tests/architecture -m "not long and not broker and not database" $(ARGS)

test-long: setup ## everything, at most 60 minutes: both engines in full, faults, fuzzing, 1,000 seeds
	@CLAIMFLOW_TEST_SEEDS=1000 $(PYTHON) -m tests.halves $(ARGS)

demo: setup ## carries 2,000 real flood claims through the whole system and sums up; stays up on a terminal
	@./claimflow demo $(ARGS)

up: setup ## runs the whole system until Ctrl-C
	@./claimflow up $(ARGS)

bench: setup ## measures both engines side by side and writes var/bench/*.json
	@$(PYTHON) -m benchmarks $(ARGS)

simulate: setup ## runs one seed of the simulation: make simulate SEED=42
	@CLAIMFLOW_TEST_SEEDS=1 CLAIMFLOW_TEST_SEED=$(SEED) $(PYTHON) -m pytest tests/simulation $(ARGS)

lock: setup ## writes the lock files anew from pyproject.toml and jgo.toml (UPGRADE=1 takes newer versions)
	@sh local/lock.sh

clean: ## stops what runs here and removes .venv, var and every cache
	@if [ -x $(PYTHON) ]; then ./claimflow down --quiet || true; fi
	@rm -rf .venv .venv.lock var .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
