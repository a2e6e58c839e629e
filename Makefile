# Two commands need nothing but Python 3.11, git and make: `make demo` and `make test`. `make help` lists all.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
FAST := tests/unit tests/property tests/contract tests/golden tests/guard tests/test_architecture.py tests/test_docs.py

.DEFAULT_GOAL := help
.PHONY: help setup demo test check quick slow fmt lint types security sbom unit coverage golden-update rules dashboards docs \
	integration soak bench pictures lock system-packages clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Run
.venv/run: requirements.txt requirements-build.txt pyproject.toml
	@echo "Creating .venv with the packages that the exporter needs (about half a minute) ..."
	@tools/make-venv "$(PYTHON)"
	@tools/install-locked $(BIN)/python requirements-build.txt requirements.txt
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev: requirements-dev.txt .venv/run
	@echo "Adding the packages that the tests and checks need (about a minute) ..."
	@tools/install-locked $(BIN)/python requirements-dev.txt
	@touch $@

setup: .venv/dev ## everything into .venv: run .venv/bin/anthropic-exporter, and all tools

demo: .venv/run ## the exporter on a simulated organisation: prints the address, no key needed
	@$(BIN)/anthropic-exporter demo

##@ Test
test: .venv/dev system-packages tests/dashboard/node_modules/.ready ## install what the tests need, then run every test
	$(BIN)/python -m pytest

check: quick slow ## what CI runs: quick, then slow

quick: lint types security coverage ## lint, types, security, and the fast tests with branch coverage

slow: .venv/dev system-packages tests/dashboard/node_modules/.ready ## every test that is not in quick
	$(BIN)/python -m pytest -q $(addprefix --ignore=,$(FAST))

unit: .venv/dev ## the fast tests: no process, no network
	$(BIN)/python -m pytest -q $(FAST)

coverage: .venv/dev ## the fast tests; fails below 90 % branch coverage
	$(BIN)/python -m pytest -q $(FAST) --cov --cov-fail-under=90

integration: .venv/dev system-packages ## the tests with real processes: Prometheus, the exporter, faults
	$(BIN)/python -m pytest -q tests/truth tests/integration tests/faults tests/load

rules: .venv/dev system-packages ## the alert rules: promtool check and test, and 90 days replayed
	$(BIN)/python -m pytest -q tests/rules

dashboards: .venv/dev system-packages tests/dashboard/node_modules/.ready ## the dashboard on Grafana's own libraries
	$(BIN)/python -m pytest -q tests/dashboard

soak: .venv/dev ## long: 200 kills, a simulated month, 200 scrapers at once
	$(BIN)/python -m tests.load.soak

pictures: .venv/dev system-packages tests/dashboard/node_modules/.ready ## draw the pictures of the dashboard anew
	$(BIN)/python -m tests.dashboard.drawing docs/pictures

bench: .venv/dev system-packages ## measure, and write docs/explanation/performance.md
	$(BIN)/python -m bench

##@ Keep
fmt: .venv/dev ## format the code
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

lint: .venv/dev ## ruff, and the linters of text, workflows, Dockerfile and scripts
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/zizmor --offline --no-progress --quiet --pedantic .github
	$(BIN)/actionlint -shellcheck $(BIN)/shellcheck .github/workflows/*.yml
	$(BIN)/hadolint Dockerfile
	$(BIN)/shellcheck .ci/run $(filter-out %.py,$(wildcard tools/*))

types: .venv/dev ## mypy, strict
	$(BIN)/mypy

security: .venv/dev ## bandit, and known holes in what we depend on
	$(BIN)/bandit --configfile pyproject.toml --quiet --recursive exporter
	$(BIN)/python tools/audit.py

sbom: .venv/dev ## a bill of materials of what is shipped: dist/sbom.json
	@mkdir -p dist
	$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --output-file dist/sbom.json requirements.txt

golden-update: .venv/dev ## write the golden pages anew, after a change that is meant
	GOLDEN_UPDATE=1 $(BIN)/python -m pytest -q tests/golden

docs: .venv/dev ## write what is generated: references, dashboard
	$(BIN)/python -m docs.generate
	$(BIN)/python -m grafana.generate

lock: ## pin all dependencies with hashes; needs uv
	uv pip compile -q pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url -o requirements.txt
	uv pip compile -q pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url -c requirements.txt -o requirements-dev.txt
	echo setuptools | uv pip compile -q - --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url -o requirements-build.txt

system-packages:
	@tools/system-packages

tests/dashboard/node_modules/.ready: tests/dashboard/package-lock.json
	@echo "Installing Grafana's own libraries for the dashboard tests ..."
	@cd tests/dashboard && npm ci --ignore-scripts --legacy-peer-deps --no-audit --no-fund --loglevel=error
	@touch $@

clean: ## remove what was made
	rm -rf .venv build dist *.egg-info tests/dashboard/node_modules .coverage .mypy_cache .ruff_cache .hypothesis
