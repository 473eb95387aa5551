# make run    start the console (STATE_DIR=/path to watch a state directory, PORT=8000)
# make test   check everything and run all tests
# make help   list the rest

PYTHON ?= $(or $(shell command -v python3.11),python3)
VENV ?= .venv
BIN := $(VENV)/bin
PORT ?= $(or $(SESSIONSTORE_PORT),8000)
CHROMIUM ?= $(firstword $(wildcard /usr/bin/chromium /usr/bin/chromium-browser /usr/bin/google-chrome))
PYTEST_ARGS ?= -n 2 --dist loadfile

.PHONY: help run demo test check bench lock clean
.DELETE_ON_ERROR:

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile
	@echo "make demo   start the console on a demo state, whatever else is configured"
	@echo "make check  lint, types, import rules, templates, migrations, settings"
	@echo "make bench  measure the store, the index and the pages"
	@echo "make lock   resolve requirements*.in again, with hashes"
	@echo "make clean  remove the virtual environment and caches (not var/, which holds accounts)"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 is needed: PYTHON=/path/to/python3.11 make $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Stamps: a second call installs nothing.
$(VENV)/.runtime: requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@ $(VENV)/.runtime

# The path is made absolute by the shell: a path with spaces is no path to make's functions.
run: export STATE_DIR := $(STATE_DIR)
run: $(VENV)/.runtime
	@if [ -n "$$STATE_DIR" ]; then \
		SESSIONSTORE_STATE_DIR="$$($(BIN)/python -c 'import os; print(os.path.abspath(os.environ["STATE_DIR"]))')"; \
		export SESSIONSTORE_STATE_DIR; \
	fi; \
	SESSIONSTORE_PORT=$(PORT) exec $(BIN)/python manage.py serve

demo: $(VENV)/.runtime
	@SESSIONSTORE_PORT=$(PORT) exec $(BIN)/python manage.py serve --demo

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/djade --check --target-version 5.2 $$(git ls-files --cached --others --exclude-standard 'templates/*.html')
	SESSIONSTORE_HTTPS_ONLY=1 $(BIN)/python manage.py check --deploy --fail-level WARNING
	$(BIN)/python manage.py makemigrations --check --dry-run

test: check
	@test -n "$(CHROMIUM)" || echo "browser tests are skipped: no Chromium found; install one (on Debian: apt-get install chromium) or set CHROMIUM=/path/to/it"
	CHROMIUM="$(CHROMIUM)" $(BIN)/pytest $(PYTEST_ARGS)

# A missed target ends a benchmark with an error; the others and the report still run.
bench: $(VENV)/.dev
	@missed=0; for name in store index pages migration backup contention report; do \
		$(BIN)/python -m benchmarks.$$name $$([ $$name = report ] || echo $(BENCH_ARGS)) || missed=1; \
	done; exit $$missed

lock: | $(BIN)/python
	$(BIN)/python -m venv $(VENV)/lock && $(VENV)/lock/bin/pip install --quiet --disable-pip-version-check uv==0.13.8
	$(VENV)/lock/bin/uv pip compile --quiet --generate-hashes --python-version 3.11 --no-header -o requirements.txt requirements.in
	$(VENV)/lock/bin/uv pip compile --quiet --generate-hashes --python-version 3.11 --no-header -o requirements-dev.txt requirements-dev.in

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './var/*' -prune -exec rm -rf {} +
