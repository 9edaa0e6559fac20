# The daily work: `make` alone lists the targets. What belongs to a release is in make/release.mk.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PEERS_PYTHON ?= python3.12
# Some machines export it. Python would then compile the libraries again at every start.
unexport PYTHONDONTWRITEBYTECODE
export GX_ANALYTICS_ENABLED := false

.DEFAULT_GOAL := help
.PHONY: help setup demo up test lint types contracts unit test-slow docs bench bench-peers clean test-containers \
  manifests terraform terraform-scan terraform-provider

include $(dir $(lastword $(MAKEFILE_LIST)))make/release.mk

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1|\2/' | column -t -s '|'

setup: $(VENV)/.ready ## Create the environment from the pinned requirements

$(VENV)/.ready: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, $(PYTHON) is older: give make PYTHON=python3.12"; exit 1; }
	@echo "Creating $(VENV) from requirements.txt: about 200 packages, once ..."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

demo: setup ## Run the whole pipeline on this machine: [ARCHIVE=DIR, or ARCHIVE=s3://BUCKET SYMBOLS=.. START=.. END=..]
	@SYMBOLS="$(SYMBOLS)" START="$(START)" END="$(END)" $(BIN)/python -m crypto_lakehouse.demo "$(ARCHIVE)"

up: setup ## Airflow with its UI, on the lake of the demo if there is one: [AIRFLOW_PORT=8081]
	@$(BIN)/python -m crypto_lakehouse.demo --up

test: setup lint types contracts unit ## Lint, types, architecture and tests

lint: setup ## Style, common mistakes, lengths, names and English
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m tests.style

types: setup ## Static types, strict
	$(BIN)/mypy

contracts: setup ## The architecture: which package may import which
	$(BIN)/lint-imports

unit: setup ## All tests but the slow set
	$(BIN)/python -m pytest -n 4 --dist worksteal -m 'not slow'

test-slow: setup ## The slow set: what takes long and is rarely needed
	$(BIN)/python -m pytest -m slow

docs: setup ## Write the generated files: data dictionary, dataset table of the README, tables of Terraform
	$(BIN)/python -m crypto_lakehouse.docs
	$(BIN)/python -m crypto_lakehouse.catalog.terraform

terraform: setup ## Test Terraform: format, validity, and a real apply against a stand-in for AWS; needs terraform and its AWS provider
	TEST_TERRAFORM=1 $(BIN)/python -m pytest tests/terraform --ignore tests/terraform/test_scan.py -rs

terraform-provider: setup ## Download the AWS provider that the tests use, unless it is installed
	$(BIN)/python -m tests.terraform.provider

terraform-scan: setup .venv-checkov/.ready ## Scan Terraform for insecure settings, with a faulty module as control
	CHECKOV=$(CURDIR)/.venv-checkov/bin/checkov $(BIN)/python -m pytest tests/terraform/test_scan.py

manifests: setup .venv-manifests/.ready ## Check the manifests and the pods of the steps against the schemas of Kubernetes
	KUBERNETES_VALIDATE=$(CURDIR)/.venv-manifests/bin/kubernetes-validate $(BIN)/python -m pytest tests/deploy

.venv-manifests/.ready: tests/deploy/requirements-manifests.txt
	$(PYTHON) -m venv .venv-manifests
	.venv-manifests/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	touch $@

.venv-checkov/.ready: tests/terraform/requirements-checkov.txt
	$(PYTHON) -m venv .venv-checkov
	.venv-checkov/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	touch $@

bench: setup ## Run the benchmarks; see docs/performance.md
	$(BIN)/python -m tests.bench

bench-peers: ## Install the packages of the comparison into their own environment; needs Python 3.12
	$(PEERS_PYTHON) -m venv .venv-peers
	.venv-peers/bin/pip install --quiet --disable-pip-version-check --requirement tests/bench/peers-requirements.txt

test-containers: setup .venv-checks/.ready .venv-ministack/.ready ## Build the images and run the tests that need a Docker engine: [REQUIRE_ALL=1 fails instead of skipping]
	TEST_CONTAINERS=1 $(BIN)/python -m pytest tests/containers tests/compose -rs

.venv-ministack/.ready: tests/containers/requirements-ministack.txt
	$(PYTHON) -m venv .venv-ministack
	.venv-ministack/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	touch $@

clean: ## Remove the files of the demonstration and of `up`; the environment stays
	rm -rf .demo .airflow lake
