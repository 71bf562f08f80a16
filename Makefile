# The README's commands. They need Python 3.11 to 3.13, make and git, nothing else.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
BIN := .venv/bin
INSTALLED := .venv/installed

export DO_NOT_TRACK := 1
# Given to `make explain`; through the environment, so that the shell never reads them.
export FROM TO TENANT FEATURE ACTIVATE LIFT
# pyright is a Node program; this one brings Node as a wheel and itself with it.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.PHONY: help run explain incidents test prove check ui dashboards test-browser bench-dashboards bench bench-trueup bench-alerts prices check-litellm close replay adjustments focus check-focus check-metrics switch fmt clean
.DEFAULT_GOAL := help

help: ## list these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/make \1\t\2/' | expand -t 24

run: $(INSTALLED) ## run the main job on the sample company and print the figures
	$(BIN)/trueup run

explain: $(INSTALLED) ## say why spend moved: FROM=2026-10-01 TO=2026-10-08 [TENANT=acme] [FEATURE=search], or TO alone
	@$(BIN)/trueup explain $(if $(FROM),--from "$$FROM") --to "$$TO" $(if $(TENANT),--tenant "$$TENANT") $(if $(FEATURE),--feature "$$FEATURE")

incidents: $(INSTALLED) ## list what fires now (`trueup incidents ack|snooze <id>` to take or silence one)
	@$(BIN)/trueup incidents

test: $(INSTALLED) ## run every test
	$(BIN)/pytest -n 2 --dist loadgroup --no-loadscope-reorder

ui: $(INSTALLED) ## serve the Dagster UI on 127.0.0.1:3000
	$(BIN)/trueup ui

dashboards: $(INSTALLED) ## serve the dashboards on 127.0.0.1:8501
	$(BIN)/python -m streamlit run dashboards/app.py

test-browser: $(INSTALLED) ## look at every page in a real Chromium; pictures in $TRUEUP_HOME/browser
	$(BIN)/pytest tests_browser

bench-dashboards: $(INSTALLED) ## measure the pages on a year of 100 M requests (minutes; needs `make run` before)
	$(BIN)/python -m benchmarks.dashboards

prove: $(INSTALLED) ## break each promise in a copy and see that its test notices (minutes)
	$(BIN)/python -m tests.broken_promises

# Types and SQL take longest, one core each.
check: $(INSTALLED) ## lint and type-check everything
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target lint-types lint-sql lint-project

.PHONY: lint-types lint-sql lint-project
lint-types: $(INSTALLED)
	$(BIN)/pyright

lint-sql: $(INSTALLED)
	$(BIN)/sqlfluff lint dbt_project/models --disable-progress-bar

lint-project: $(INSTALLED)
	$(BIN)/python -m orchestration.pricebook check
	$(BIN)/python -m orchestration.alerting
	$(BIN)/python -m orchestration.warehouse
	$(BIN)/dg check yaml
	$(BIN)/dg check defs

bench: $(INSTALLED) ## measure against hand-written DuckDB (minutes; 10 M requests)
	$(BIN)/python -m benchmarks.bench

bench-trueup: $(INSTALLED) ## measure splitting a bill over 10 M requests of one day
	$(BIN)/python -m benchmarks.true_up

bench-alerts: $(INSTALLED) ## measure what the alert rules find, and how often they cry without cause (minutes)
	$(BIN)/python -m benchmarks.alerts

prices: $(INSTALLED) ## refresh the price book and print what changed
	$(BIN)/python -m orchestration.pricebook refresh

check-litellm: $(INSTALLED) ## hold the price book against LiteLLM's own cost function (an environment of its own; minutes)
	$(BIN)/python -m orchestration.pricebook against-litellm

close: $(INSTALLED) ## keep a month for good: MONTH=2026-10, and REASON="…" when days are not reconciled
	$(BIN)/trueup close "$$MONTH" $(if $(REASON),--reason "$$REASON")

replay: $(INSTALLED) ## build a closed month again and compare every byte: RECEIPT=data/closed/2026-10/receipt.json
	$(BIN)/trueup replay "$$RECEIPT"

adjustments: $(INSTALLED) ## write what has changed in closed months since
	$(BIN)/trueup adjustments

focus: $(INSTALLED) ## export a month as FOCUS 1.4 and 1.2: MONTH=2026-10
	$(BIN)/trueup focus "$$MONTH"

check-focus: $(INSTALLED) ## the same, judged by the official FOCUS validator (needs a Python 3.12 beside)
	$(BIN)/trueup check-focus "$$MONTH"

.PHONY: report superset-bundle check-superset
report: $(INSTALLED) ## write a month's report for finance as HTML and PDF: MONTH=2026-10
	$(BIN)/trueup report "$$MONTH"

superset-bundle: $(INSTALLED) ## write datasets, charts and a dashboard for Apache Superset as a zip
	$(BIN)/trueup superset-bundle

check-superset: $(INSTALLED) ## import them into a Superset (an environment of its own), compare every chart with the marts
	$(BIN)/trueup check-superset
	$(BIN)/python -m tests.e2e.superset_with_hostile_names

check-metrics: $(INSTALLED) ## ask MetricFlow for every metric and compare with its mart (an environment of its own)
	$(BIN)/trueup check-metrics

switch: $(INSTALLED) ## list switches of the request path; ACTIVATE=<id> throws a proposed one, LIFT=<id> ends one
	@$(BIN)/trueup switch $(if $(ACTIVATE),activate "$$ACTIVATE",$(if $(LIFT),lift "$$LIFT",list))

fmt: $(INSTALLED) ## format everything
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove the environment and everything generated
	rm -rf .venv data dbt_project/target dbt_project/logs

$(INSTALLED): requirements.lock pyproject.toml middleware/pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else "Python 3.11 to 3.13 is needed, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . -e middleware
	$(BIN)/python -m compileall -q orchestration dashboards middleware/src # as pip does with what it copies
	touch $@

.PHONY: check-clients bench-middleware
check-clients: $(INSTALLED) ## hold what the library records of google-genai, boto3, cohere and litellm against a provider's own count
	$(BIN)/python -m tests_clients

bench-middleware: $(INSTALLED) ## measure what the library adds to a call, beside LiteLLM's router
	$(BIN)/python -m benchmarks.middleware
