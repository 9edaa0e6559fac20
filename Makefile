# Everything a person does here. `make` alone tells what there is.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCKED_IMAGES := s5cmd polars quality exchange airflow store glue
IMAGES := $(LOCKED_IMAGES) keeper database
REGISTRY ?= crypto-lakehouse
TAG ?= latest
BASE_IMAGE ?= python:3.12-slim-bookworm
LOCK_HASHES := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --generate-hashes
PEERS_PYTHON ?= python3.12
# Some machines export it; Python would then compile the libraries again at every start.
unexport PYTHONDONTWRITEBYTECODE
export GX_ANALYTICS_ENABLED := false

.DEFAULT_GOAL := help
.PHONY: help setup demo up test lint types contracts unit docs lock bench bench-peers clean images \
  test-containers images-lint images-audit images-sbom terraform terraform-scan

help: ## Tell what there is
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

demo: setup ## Run the main job end to end: [ARCHIVE=DIR, or ARCHIVE=s3://BUCKET SYMBOLS=.. START=.. END=..]
	@SYMBOLS="$(SYMBOLS)" START="$(START)" END="$(END)" $(BIN)/python -m crypto_lakehouse.demo "$(ARCHIVE)"

up: setup ## Airflow with its UI on the embedded lake, at http://127.0.0.1:8080
	@$(BIN)/python -m crypto_lakehouse.demo --up

test: setup lint types contracts unit ## Everything that must hold: lint, types, architecture, tests

lint: setup ## Style and common mistakes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup ## Static types, strict
	$(BIN)/mypy

contracts: setup ## The architecture: who may import whom
	$(BIN)/lint-imports

unit: setup ## All tests
	$(BIN)/python -m pytest -n 2 --dist worksteal

docs: setup ## Write what is generated: the data dictionary, the README's dataset table, Terraform's tables
	$(BIN)/python -m crypto_lakehouse.docs
	$(BIN)/python -m crypto_lakehouse.catalog.terraform

terraform: setup ## The AWS side: format, validity, and a real apply against a stand-in; needs terraform and its AWS provider
	TEST_TERRAFORM=1 $(BIN)/python -m pytest tests/terraform -rs

terraform-scan: setup .venv-checkov/.ready ## Scan the AWS side for insecure settings, with a bad module as control
	CHECKOV=$(CURDIR)/.venv-checkov/bin/checkov $(BIN)/python -m pytest tests/terraform/test_scan.py

.venv-checkov/.ready: tests/terraform/requirements-checkov.txt
	$(PYTHON) -m venv .venv-checkov
	.venv-checkov/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

lock: ## Pin all dependencies anew from requirements.in
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header requirements.in --output-file requirements.txt
	for name in $(LOCKED_IMAGES); do $(LOCK_HASHES) --constraint requirements.txt images/$$name/requirements.in \
	  --output-file images/$$name/requirements.txt || exit 1; done
	$(LOCK_HASHES) --constraint requirements.txt images/build.in --output-file images/build.txt
	$(LOCK_HASHES) images/checks/requirements.in --output-file images/checks/requirements.txt

bench: setup ## Measure; see docs/performance.md
	$(BIN)/python -m tests.bench

bench-peers: ## Install the packages we are measured beside, into their own environment; needs Python 3.12
	$(PEERS_PYTHON) -m venv .venv-peers
	.venv-peers/bin/pip install --quiet --disable-pip-version-check --requirement tests/bench/peers-requirements.txt

images: ## Build the images: [REGISTRY=.. TAG=.. BASE_IMAGE=..]
	for name in $(IMAGES); do DOCKER_BUILDKIT=1 docker build --build-arg BASE_IMAGE=$(BASE_IMAGE) --build-arg REVISION=$$(git rev-parse HEAD) \
	  --tag $(REGISTRY)/$$name:$(TAG) --file images/$$name/Dockerfile . || exit 1; done

test-containers: setup ## Build the images and run what needs a Docker engine, compose too; skipped where there is none
	TEST_CONTAINERS=1 $(BIN)/python -m pytest tests/containers tests/compose -rs

.venv-checks/.ready: images/checks/requirements.txt
	$(PYTHON) -m venv .venv-checks
	.venv-checks/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	touch $@

images-lint: .venv-checks/.ready ## Lint the Dockerfiles
	.venv-checks/bin/hadolint images/*/Dockerfile

images-audit: .venv-checks/.ready ## Look for known holes in what the images install; fails where it cannot look
	.venv-checks/bin/python images/checks/audit.py $(LOCKED_IMAGES)

images-sbom: .venv-checks/.ready ## Write what each image holds, as CycloneDX, into sbom/: [REGISTRY=.. TAG=..]
	.venv-checks/bin/python images/checks/sbom.py $(foreach name,$(LOCKED_IMAGES),$(REGISTRY)/$(name):$(TAG))

clean: ## Remove what the demonstration and `up` made; the environment stays
	rm -rf .demo .airflow lake
