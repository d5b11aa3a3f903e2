# What one does with this project from a fresh clone. Python 3.11 with its venv module and make are all it needs.
PORT ?= 8000
PYTHON ?= python3.11
VENV ?= .venv
PY := $(VENV)/bin/python
# Checks and tests need no settings of their own.
DEVELOPMENT := DEBUG=true

.PHONY: run test soak lint messages bench bench-long lock clean
.DEFAULT_GOAL := run

run: $(VENV)/runtime.stamp var/env ## everything on this machine: web, worker, sandbox store, demo data
	@exec $(PY) manage.py run --port $(PORT)

test: $(VENV)/dev.stamp ## all tests but those in the browser, one process for each core, on SQLite or on DATABASE_URL
	@$(PY) -m pytest -q -n auto $(TESTS)

soak: $(VENV)/dev.stamp ## half an hour of a busy shop of 10x, its webhooks failing; at the end mirror equals shop
	@$(PY) -m pytest -q -m soak tests/faults

messages: $(VENV)/dev.stamp ## collect what shoppers read, update and compile the catalogues (needs gettext)
	$(DEVELOPMENT) $(PY) manage.py messages

lint: $(VENV)/dev.stamp ## style, types, import line, templates, style sheets, migrations
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(DEVELOPMENT) $(VENV)/bin/mypy .
	PYTHONPATH=. $(VENV)/bin/lint-imports --no-logo
	$(VENV)/bin/djlint templates --lint --quiet
	$(PY) .ci/css_lint.py postpurchase/static
	$(DEVELOPMENT) $(PY) manage.py makemigrations --check --dry-run

bench: $(VENV)/dev.stamp ## speed and memory, each against its floor
	@$(DEVELOPMENT) $(PY) -m bench $(BENCH)

bench-long: $(VENV)/dev.stamp ## the backfill of 700,000 orders on PostgreSQL: half an hour or more
	@$(DEVELOPMENT) $(PY) -m bench long

lock: ## compile the requirement files anew (needs uv)
	uv pip compile --universal --generate-hashes --no-strip-extras --python-version 3.11 --custom-compile-command "make lock" requirements.in -o requirements.txt
	uv pip compile --universal --generate-hashes --no-strip-extras --python-version 3.11 --custom-compile-command "make lock" requirements-dev.in -o requirements-dev.txt

clean: ## remove what can be made again; var/, with data and keys, stays
	rm -rf $(VENV) var/static .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis htmlcov .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "Kept: var/ with the database and its keys. To throw these away too: rm -r var"

$(PY):
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not installed. Nothing was changed. Fix: sudo apt install python3.11 python3.11-venv"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "The venv module of $(PYTHON) is not installed. Nothing was changed. Fix: sudo apt install python3.11-venv"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "$(PYTHON) is not Python 3.11. Nothing was changed. Fix: sudo apt install python3.11 python3.11-venv, or PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/runtime.stamp: requirements.txt | $(PY)
	@echo "Installing the requirements into $(VENV) (once; about a minute)"
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt | $(PY)
	@echo "Installing the requirements for development into $(VENV) (once; about a minute)"
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@ $(VENV)/runtime.stamp

var/env: | $(PY)
	@$(PY) -m postpurchase.first_env $@
