# Two commands are enough: `make run` and `make test`. Both set everything up by themselves.
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
# Two processes, as this is made for two cores; they must collect their tests in the same order.
PARALLEL := -n 2 --dist loadfile
export PYTHONHASHSEED := 0
STAMP := .venv/.stamp-installed

.PHONY: help run playground wheel test test-all check coverage bench soak abuse fuzz autobahn audit bandit sbom clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(STAMP): pyproject.toml src/incident_manager/__init__.py
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; set PYTHON=/path/to/python") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

run: $(STAMP) ## serve on localhost:8080 with an SQLite journal
	@$(MAKE) --silent --no-print-directory playground-once
	@$(BIN)/incident-manager serve $(ARGS)

# GraphiQL and what it needs, from npm, as the lock file says. The server runs without it too.
PLAYGROUND := http/playground
BUNDLE := .cache/playground
PACKED := $(BUNDLE)/.stamp-built
PATIENCE := $(shell command -v timeout >/dev/null 2>&1 && echo timeout 30)

playground: $(PACKED) ## build the page at /graphql/playground (needs Node 20)

$(PACKED): $(shell find $(PLAYGROUND)/web -type f)
	@mkdir -p $(BUNDLE)
	@cp -R $(PLAYGROUND)/web/. $(BUNDLE)
	cd $(BUNDLE) && npm ci --prefer-offline --no-audit --no-fund --loglevel=error
	cd $(BUNDLE) && node build.mjs ../../$(PLAYGROUND)/assets
	@touch $@

wheel: $(STAMP) playground ## the wheel in dist/, with the playground
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .

# Where Node is there, `make run` tries it a single time, and is as content without.
.PHONY: playground-once
playground-once:
	@if ! $(MAKE) --silent --no-print-directory --question playground && [ ! $(BUNDLE)/.stamp-tried -nt $(PLAYGROUND)/web/package-lock.json ] \
	    && command -v npm >/dev/null 2>&1; then \
	  mkdir -p $(BUNDLE) && touch $(BUNDLE)/.stamp-tried; \
	  $(PATIENCE) $(MAKE) --silent playground >/dev/null 2>&1 || true; fi

test: $(STAMP) ## what needs nothing but Python; a part with ARGS=tests/system/x
	$(BIN)/python -m pytest $(if $(ARGS),$(ARGS),$(PARALLEL) -m "not slow and not component")

test-all: $(STAMP) ## everything, with the system components that are there
	$(BIN)/python -m pytest -m "slow or component" $(ARGS)

check: $(STAMP) ## ruff, mypy, pyright, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports --no-cache

coverage: $(STAMP) ## branch coverage of supervision, actors and schema: 95 % at least
	rm -f .coverage .coverage.*
	$(BIN)/python -m pytest $(PARALLEL) -m "not slow and not component" tests/unit -q --cov --cov-branch --cov-report= $(ARGS)
	$(BIN)/coverage report --fail-under=95

bench: $(STAMP) ## measure the server (ARGS=--quick)
	$(BIN)/python tests/load/bench.py $(ARGS)

SOAK_MINUTES ?= 30
KILL_ROUNDS ?= 100
CONSOLE_MINUTES ?= 30

soak: $(STAMP) ## half an hour of bad clients (SOAK_MINUTES=30), kill -9 (KILL_ROUNDS=100), the console (CONSOLE_MINUTES=30)
	$(BIN)/python tests/load/soak.py --minutes $(SOAK_MINUTES) $(ARGS)
	$(if $(filter-out 0,$(KILL_ROUNDS)),LIM_TEST_KILL_ROUNDS=$(KILL_ROUNDS) $(BIN)/python -m pytest -q tests/system/test_kill.py)
	$(if $(filter-out 0,$(CONSOLE_MINUTES)),$(BIN)/python tests/load/console_soak.py --minutes $(CONSOLE_MINUTES))

abuse: $(STAMP) ## what abuses of HTTP/2 cost, in three minutes (ARGS=--write)
	$(BIN)/python tests/load/abuse.py $(ARGS)

FUZZ_SECONDS ?= 600
ATHERIS := .cache/fuzz/.stamp-installed

fuzz: $(STAMP) $(ATHERIS) ## parsers by coverage (FUZZ_SECONDS=600), properties and REST with more examples
	.cache/fuzz/bin/python tests/fuzz/run.py .cache/fuzz $(FUZZ_SECONDS)
	$(BIN)/python -m pytest -q tests/unit --hypothesis-profile=fuzz $(ARGS)
	LIM_TEST_FUZZ_EXAMPLES=1000 $(BIN)/python -m pytest -q tests/system/test_schemathesis.py $(ARGS)

$(ATHERIS): pyproject.toml tests/fuzz/requirements.txt
	$(PYTHON) -m venv .cache/fuzz
	.cache/fuzz/bin/python -m pip install --quiet --disable-pip-version-check --editable . \
	  --requirement tests/fuzz/requirements.txt
	@touch $@

AUTOBAHN := .cache/autobahn/.stamp-installed
autobahn: $(AUTOBAHN) ## install the Autobahn|Testsuite for test-all (needs Python 2.7)

$(AUTOBAHN): tests/system/autobahn/install.sh tests/system/autobahn/requirements.txt
	PYTHON=$(PYTHON) tests/system/autobahn/install.sh $(@D)
	@touch $@

# What the server needs to run, and nothing else: that is what is audited and listed.
RUNTIME := .cache/runtime/.stamp-installed
AUDIT := .cache/audit/.stamp-installed
ADVISORIES ?= pypi

audit: bandit $(STAMP) $(RUNTIME) $(AUDIT) ## bandit over the code, pip-audit over what it needs (ADVISORIES=osv)
	$(BIN)/python -m pip --python .cache/runtime/bin/python freeze --exclude llm-incident-manager > .cache/runtime/requirements.txt
	@.cache/audit/bin/pip-audit --strict --no-deps --disable-pip --vulnerability-service $(ADVISORIES) \
	  --requirement .cache/runtime/requirements.txt || { \
	  echo "make audit: pip-audit has found something, or could not ask $(ADVISORIES) about every package (see above)" >&2; \
	  exit 1; }

bandit: $(AUDIT)
	.cache/audit/bin/bandit --quiet --configfile pyproject.toml --recursive actors http schema supervision

sbom: $(STAMP) $(RUNTIME) $(AUDIT) ## what the server needs, as CycloneDX JSON in dist/sbom.json
	@mkdir -p dist
	.cache/audit/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
	  --output-format JSON --output-file dist/sbom.json .cache/runtime/bin/python

$(RUNTIME): $(STAMP)
	rm -rf $(@D)
	$(PYTHON) -m venv --without-pip $(@D)
	$(BIN)/python -m pip --python $(@D)/bin/python install --quiet --disable-pip-version-check .
	@touch $@

$(AUDIT): Makefile
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check \
	  'bandit>=1.8,<2' 'cyclonedx-bom>=7,<8' 'pip-audit>=2.9,<3'
	@touch $@

clean: ## remove what the other targets made
	rm -rf $(PLAYGROUND)/assets .cache .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage .coverage.*
