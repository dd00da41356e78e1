# Entry points for people and CI. Each target sets up what it needs, so `make demo` and `make test` work on a fresh clone.
# Nothing here uses the network once set up, and two of anything may run side by side.

PYTHON ?= python3
JOBS ?= 5
VENV := .venv/bin/python
PYTEST := $(VENV) -m pytest -n $(JOBS) --dist loadscope --no-loadscope-reorder

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help setup demo demo-down test test-unit test-integration test-e2e chaos lint generate bench plugin lock clean

# the real services instead of the stand-ins: make demo REPO=owner/name ISSUE=n
export REPO ISSUE
# a shell that forbids Python to keep what it compiled would have each program of a test compile orch again
unexport PYTHONDONTWRITEBYTECODE

help: ## Say what there is
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile | expand -t 18

setup: ## Virtual environment and control plane; quick when nothing changed
	@command -v $(PYTHON) >/dev/null || { echo "setup: install Python 3.11 or newer" >&2; exit 1; }
	@$(PYTHON) hack/setup.py
	@$(VENV) hack/controlplane.py binaries >/dev/null
	@$(VENV) -m hack.projects

demo: setup ## An issue becomes a merged pull request, here and now
	@$(VENV) hack/demo/run.py

demo-down: ## Remove everything that the demo left
	@if [ -d .demo ]; then $(VENV) hack/demo/down.py; fi

test: setup lint ## Linters and all tests, the fast ones first
	@$(VENV) hack/openapi.py >/dev/null
	@$(PYTEST) tests

test-unit: setup ## Tests of single functions and rooms
	@$(PYTEST) tests/unit

test-integration: setup ## Tests against a real API server
	@$(VENV) hack/openapi.py >/dev/null
	@$(PYTEST) tests/integration

test-e2e: setup ## From a labelled issue to a merged pull request
	@$(PYTEST) tests/e2e

chaos: setup ## A soak in bad weather: SECONDS=60 SEED=n RUNS=50; the same seed gives the same blows
	@SECONDS=$(or $(SECONDS),60) SEED=$(SEED) RUNS=$(or $(RUNS),50) $(VENV) -m pytest -n 0 -s tests/chaos/test_soak.py

lint: setup ## Style, types, import contracts, and that generated files are current
	@$(VENV) hack/lint.py

generate: setup ## Write what is generated from the code: CRDs, reference
	@$(VENV) hack/generate.py

bench: setup ## Measure; ONLY=id for one figure
	@$(VENV) tests/bench/run.py $(ONLY)

plugin: setup ## kubectl orch as one archive in dist/, and its krew manifest; ADDRESS=where it will be downloaded from
	@$(VENV) hack/plugin.py $(if $(ADDRESS),--address $(ADDRESS))

lock: ## Pin the dependencies of pyproject.toml anew (needs network)
	@$(PYTHON) hack/setup.py lock

clean: demo-down ## Delete the virtual environment and all caches of this working copy
	@if [ -d build/controlplane ]; then $(PYTHON) hack/controlplane.py down; fi
	@rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
