# Every command of the project. Set-up happens by itself, on a fresh machine too:
#   make demo    make test    make check    make bench
# VENV=DIR keeps the environment elsewhere, PYTHON=PROGRAM chooses that of a new one,
# ARGS='...' is handed on to pytest and to the benchmarks.

SHELL := /bin/bash
MAKEFLAGS += --no-print-directory
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up
ARGS ?=

# An ordinary user's PATH often lacks the directories of nft and ip.
export PATH := $(PATH):/usr/sbin:/sbin

.DEFAULT_GOAL := help
.PHONY: help demo test test-long check format bench lock programs browser clean

help:  ## what can be made
	@sed -n 's/^\([a-z-]*\):.*##  *\(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 19

demo: $(STAMP) programs  ## a small cluster of network namespaces, probed with real packets
	@$(BIN)/ringfence lab run -f examples/wordpress

test: $(STAMP) programs browser  ## the tests
	@$(BIN)/python -m pytest -m 'not property' $(ARGS)

test-long: $(STAMP) programs browser  ## the tests with the long profile of every property
	@$(BIN)/python -m pytest $(ARGS)

check: $(STAMP)  ## format, lint, types, import contracts, examples of the docs
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/mypy conftest.py
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest --quiet tests/docs

format: $(STAMP)  ## write the formatting that check asks for
	@$(BIN)/ruff format .

bench: $(STAMP) programs  ## the speeds that are promised, measured; ARGS=-h lists them
	@$(BIN)/python -m compileall -q src
	@$(BIN)/python -m bench $(ARGS)

lock: $(STAMP)  ## choose new versions of the dependencies: requirements.lock
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 \
	  --generate-hashes --no-header --quiet --upgrade --output-file requirements.lock

programs browser:
	@tools/setup $@

$(STAMP): requirements.lock pyproject.toml tools/setup
	@tools/setup environment $(VENV)

clean:  ## remove what was made
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	  .import_linter_cache .coverage .coverage.*
	find . -name __pycache__ -prune -exec rm -rf {} +
