# whyrec: `make demo` shows it, `make test` checks it. Both need Python >= 3.11, make and a package index.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP_FLAGS := -q --disable-pip-version-check -c constraints.txt
CORES := $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)

.PHONY: demo eval-demo test test-long test-vllm lint audit clean
.DEFAULT_GOAL := help

help:
	@echo "make demo       sample data, merge, train, explained recommendations (nothing but a package index needed)"
	@echo "make test       the tests, as CI runs them"
	@echo "make test-long  the slow checks"
	@echo "make test-vllm  those against a real vLLM, in an environment of its own (a part of test-long)"
	@echo "make eval-demo  three prompts compared on two data sets, with a report (an hour; goes on where it was cut)"
	@echo "make lint       ruff and mypy"
	@echo "make audit      known holes of the pinned dependencies (skipped, with the reason, where the data can't be had)"
	@echo "make clean      remove the environment and the demo's data"

$(VENV)/.core: pyproject.toml constraints.txt
	@echo "[environment] $(VENV): core and the embedded model's engine (two minutes the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "whyrec needs Python 3.11 or newer: make PYTHON=python3.11 demo" >&2; exit 1; }
	@$(BIN)/python -m pip install $(PIP_FLAGS) -e '.[embedded]'
	@touch $@

$(VENV)/.dev: $(VENV)/.core
	@echo "[environment] $(VENV): tools for tests and lint"
	@$(BIN)/python -m pip install $(PIP_FLAGS) -e '.[embedded,dev]'
	@touch $@

$(VENV)/.spark: $(VENV)/.dev
	@echo "[environment] $(VENV): Spark, for the long tests (they skip those that need Java where there is none)"
	@$(BIN)/python -m pip install $(PIP_FLAGS) -e '.[embedded,dev,spark]'
	@touch $@

demo: $(VENV)/.core
	@$(BIN)/whyrec demo demo

test: $(VENV)/.dev
	@$(BIN)/python -m pytest -q -n $(CORES) --dist worksteal -m "not long"

test-long: $(VENV)/.spark
	@$(BIN)/python -m pytest -q -m long --durations=15 -n $(CORES) --dist loadfile

test-vllm: $(VENV)/.dev
	@$(BIN)/python -m pytest -q -m long --durations=8 tests/test_rerank_llm_vllm.py

lint: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

audit: $(VENV)/.dev
	@$(BIN)/python .ci/audit.py constraints.txt

eval-demo: $(VENV)/.dev
	@nice $(BIN)/whyrec eval demo eval-demo

clean:
	rm -rf $(VENV) demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
