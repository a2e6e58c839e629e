# `make demo` and `make test` need only Python 3.11 or newer, git and make. `make help` lists all targets.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
FAST := tests/unit tests/property tests/contract tests/golden tests/guard tests/test_architecture.py tests/test_docs.py

.DEFAULT_GOAL := help
.PHONY: help setup demo test check quick slow fmt lint types security sbom unit coverage golden-update rules dashboards page vendor docs \
	integration mutants soak bench bench-large build pictures lock system-packages clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Run
.venv/run: requirements.txt requirements-build.txt pyproject.toml
	@echo "Creating .venv with the packages of the exporter (about half a minute) ..."
	@tools/make-venv "$(PYTHON)"
	@tools/install-locked $(BIN)/python requirements-build.txt requirements.txt
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev: requirements-dev.txt .venv/run
	@echo "Adding the packages of the tests and linters (about a minute) ..."
	@tools/install-locked $(BIN)/python requirements-dev.txt
	@touch $@

setup: .venv/dev ## install the exporter and all tools into .venv

demo: .venv/run ## run the exporter with a simulated organisation; needs no key
	@$(BIN)/anthropic-exporter demo

##@ Test
test: .venv/dev system-packages tests/dashboard/node_modules/.ready tests/page/node_modules/.ready tests/kubernetes/node_modules/.ready ## install what the tests need, then run every test
	$(BIN)/python -m pytest

check: quick slow ## what CI runs: quick, then slow

quick: lint types security coverage ## lint, types, security, and the fast tests with branch coverage

slow: .venv/dev system-packages tests/dashboard/node_modules/.ready tests/page/node_modules/.ready tests/kubernetes/node_modules/.ready ## every test that is not in quick
	$(BIN)/python -m pytest -q $(addprefix --ignore=,$(FAST))

unit: .venv/dev ## the fast tests: no process, no network
	$(BIN)/python -m pytest -q $(FAST)

coverage: .venv/dev ## the fast tests; fails below 90 % branch coverage
	$(BIN)/python -m pytest -q $(filter-out tests/guard,$(FAST)) --cov --cov-fail-under=90
	$(BIN)/python -m pytest -q tests/guard  # without coverage, which slows down our code but not the library's

mutants: .venv/dev ## mutation testing: do the fast tests notice 200 small changes of the core modules?
	$(BIN)/python tools/mutants.py --sample 200

integration: .venv/dev system-packages ## the tests with real processes: Prometheus, the exporter, faults
	$(BIN)/python -m pytest -q tests/truth tests/integration tests/faults tests/load

rules: .venv/dev system-packages ## the alert rules: promtool check, and situations replayed
	$(BIN)/python -m pytest -q tests/rules

dashboards: .venv/dev system-packages tests/dashboard/node_modules/.ready ## the tests of the dashboard, with Grafana's own libraries
	$(BIN)/python -m pytest -q tests/dashboard

page: .venv/dev system-packages tests/page/node_modules/.ready ## the tests of the page, in Chromium
	$(BIN)/python -m pytest -q tests/page

soak: .venv/dev ## the long tests: 200 kills, a simulated month, 200 scrapers at once
	$(BIN)/python -m tests.load.soak

pictures: .venv/dev system-packages tests/dashboard/node_modules/.ready tests/page/node_modules/.ready ## draw the pictures in docs/
	$(BIN)/python -m tests.dashboard.drawing docs/pictures
	$(BIN)/python -m tests.page.drawing docs/pictures

bench: .venv/dev system-packages ## measure, and write docs/explanation/performance.md
	$(BIN)/python -m bench

bench-large: .venv/dev system-packages ## measure up to 100,000 users, and write their part of performance.md; 20 minutes
	$(BIN)/python -m bench --large

##@ Maintain
fmt: .venv/dev ## format the code
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

lint: .venv/dev ## ruff, and the linters of text, workflows, Dockerfile and scripts
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/codespell --dictionary=- --dictionary=tools/words.txt
	$(BIN)/zizmor --offline --no-progress --quiet --pedantic .github
	$(BIN)/actionlint -shellcheck $(BIN)/shellcheck .github/workflows/*.yml
	$(BIN)/hadolint Dockerfile
	$(BIN)/shellcheck .ci/run $(filter-out %.py %.txt,$(wildcard tools/*))

types: .venv/dev system-packages tests/page/node_modules/.ready ## mypy, strict, and TypeScript on the page's scripts
	$(BIN)/mypy
	tests/page/node_modules/.bin/tsc --project tests/page

security: .venv/dev ## bandit, and known vulnerabilities of the dependencies
	$(BIN)/bandit --configfile pyproject.toml --quiet --recursive exporter
	$(BIN)/python tools/audit.py

build: .venv/run ## build the wheel and the source distribution, reproducibly, into dist/
	$(BIN)/python tools/build.py dist

sbom: .venv/dev ## write the bill of materials of the package: dist/sbom.json
	@mkdir -p dist
	$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --output-file dist/sbom.json requirements.txt

golden-update: .venv/dev ## rewrite the golden pages after an intended change
	GOLDEN_UPDATE=1 $(BIN)/python -m pytest -q tests/golden

docs: .venv/dev ## write the generated references, the dashboard and the PrometheusRule
	$(BIN)/python -m docs.generate
	$(BIN)/python -m grafana.generate
	$(BIN)/python -m deploy.generate

lock: ## pin all dependencies with hashes; needs uv
	uv pip compile -q pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url -o requirements.txt
	uv pip compile -q pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url -c requirements.txt -o requirements-dev.txt
	echo setuptools | uv pip compile -q - --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url -o requirements-build.txt

system-packages:
	@tools/system-packages

vendor: tests/page/node_modules/.ready ## copy Chart.js from its npm package, in the version of tests/page/package.json
	$(BIN)/python -m tests.page.vendor

tests/page/node_modules/.ready: tests/page/package-lock.json
	@echo "Installing what the tests of the page need ..."
	@cd tests/page && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

tests/dashboard/node_modules/.ready: tests/dashboard/package-lock.json
	@echo "Installing Grafana's own libraries for the dashboard tests ..."
	@cd tests/dashboard && npm ci --ignore-scripts --legacy-peer-deps --no-audit --no-fund --loglevel=error
	@touch $@

tests/kubernetes/node_modules/.ready: tests/kubernetes/package-lock.json
	@echo "Installing kubectl for the tests of the Kubernetes manifests ..."
	@cd tests/kubernetes && npm ci --ignore-scripts --legacy-peer-deps --no-audit --no-fund --loglevel=error
	@touch $@

clean: ## delete everything that make created
	rm -rf .venv build dist *.egg-info tests/*/node_modules .coverage .mypy_cache .ruff_cache .hypothesis
