# `make help` lists what there is. Paths are relative throughout, so a checkout in a folder with a space works.
SHELL := /bin/sh
PYTHON ?= python3
PY := .venv/bin/python
ERBIUM := ERBIUM_CALLED_BY=make $(PY) -m erbium
PROJECTS := kernel services/screening services/scheduling services/device-telemetry services/aftercare workbench

.DEFAULT_GOAL := help
.PHONY: help env demo up down status test test-fast simulate faults bench lint docs format lock

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

demo: env ## start everything, play a few days in two clinics, stop everything
	@$(ERBIUM) demo

up: env ## start PostgreSQL, Kafka and the four services, and leave them running
	@$(ERBIUM) up

down: env ## stop what `make up` started
	@$(ERBIUM) down

status: env ## what runs, and where
	@$(ERBIUM) status || [ $$? -eq 3 ] # 3: not running, which it has said

test: env ## every test, against a real PostgreSQL and a real Kafka, in two processes
	@$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-fast: env ## the tests that need no server and are quick, under a minute
	@$(PY) -m pytest -n logical --dist worksteal -m "not servers and not slow"

SEEDS ?= 10000
FIRST ?= 1
simulate: env ## one seed, one schedule of four services: SEEDS=10000 FIRST=1
	@$(PY) -m tests.simulation --seeds $(SEEDS) --first $(FIRST)

SEED ?= 1
faults: env ## kill, freeze, fill and cut off the real servers and processes, and count what is lost: nothing (SEED=1)
	@$(PY) -m tests.faults --seed $(SEED)

bench: env ## each path against its raw limit in the same run, into bench/results.md (about a quarter of an hour)
	@$(PY) -m bench --write

lint: env ## ruff, mypy, import-linter
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@.venv/bin/lint-imports

docs: env ## docs/events.md and docs/problems.md, from the services' own tables, the contracts and the rules that say no
	@$(PY) -m erbium.event_catalogue
	@$(PY) -m tests.contracts.problems_page

format: env ## ruff format, and what ruff can mend by itself
	@$(PY) -m ruff format .
	@$(PY) -m ruff check --fix .

# Made for one lock, one set of projects, one interpreter and one place: when any of them changes, it is made again.
env: ## the virtual environment .venv, exactly as locked
	@made_for="$$(cat requirements.lock $(PROJECTS:=/pyproject.toml) | cksum) $$(pwd)"; \
	if [ -x $(PY) ] && [ "$$(cat .venv/made-for 2>/dev/null)" = "$$made_for" ]; then exit 0; fi; \
	if [ ! -x $(PY) ]; then \
	  "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo "Erbium needs Python 3.11 or newer, and '$(PYTHON)' is not: name one with 'make env PYTHON=/path/to/python3.11'." >&2; exit 1; }; \
	  rm -rf .venv; \
	  "$(PYTHON)" -m venv .venv || { \
	    echo "Python could not make the folder .venv: install the venv module (Debian: python3-venv), or make this folder writable." >&2; exit 1; }; \
	fi; \
	echo "Installing what requirements.lock names into .venv (once, about a minute) ..."; \
	$(PY) -m pip --disable-pip-version-check --quiet install --require-hashes --requirement requirements.lock && \
	$(PY) -m pip --disable-pip-version-check --quiet install --no-deps --no-build-isolation \
	  $(foreach project,$(PROJECTS),--editable ./$(project)) || { \
	    echo "Installing failed: the lines above say why. Nothing else was changed; run 'make env' again." >&2; exit 1; }; \
	printf '%s' "$$made_for" > .venv/made-for

lock: ## resolve requirements.in again into requirements.lock (needs uv; hashes, and no address)
	@uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 \
	  --output-file requirements.lock requirements.in
