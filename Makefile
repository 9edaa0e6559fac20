# Everything a person does here. `make` alone tells what there is.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCKED_IMAGES := s5cmd polars quality exchange airflow store glue
IMAGES := $(LOCKED_IMAGES) keeper database
# Environments of tests, apart from ours.
TEST_LOCKS := tests/containers/requirements-ministack tests/terraform/requirements-checkov tests/deploy/requirements-manifests
REGISTRY ?= crypto-lakehouse
VERSION := $(shell sed -n 's/^__version__ = "\(.*\)"$$/\1/p' include/crypto_lakehouse/__init__.py)
# RELEASE=1 names images by the version of the package, as Terraform and the changelog do.
TAG ?= $(if $(RELEASE),$(VERSION),latest)
SOURCE ?= unknown
BASE_IMAGE ?= python:3.12-slim-bookworm
LOCK_HASHES := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --generate-hashes
PEERS_PYTHON ?= python3.12
CHECKS := .venv-checks/bin
# What is in the repository and may hold a secret. Hashes look like some, and so do the tests' made-up keys: locks,
# tests and generated files are searched for the shapes of known kinds of keys alone.
HASHED := requirements[^/]*\.txt$$|images/build\.txt$$|\.auto\.tfvars\.json$$|^tests/
# Words that documentation and tests have in the place of a secret, and where a secret is read from.
NAMES := ^(password|made-before|cat /secrets/[a-z/-]+|(crypto-lakehouse|lake-keys)[/-][a-z]+)\W*$$
GUESSES := Base64HighEntropyString HexHighEntropyString KeywordDetector
AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo)
# Some machines export it; Python would then compile the libraries again at every start.
unexport PYTHONDONTWRITEBYTECODE
export GX_ANALYTICS_ENABLED := false

.DEFAULT_GOAL := help
.PHONY: help setup demo up test lint types contracts unit test-slow docs lock bench bench-peers clean images \
  test-containers docker-registry images-lint images-audit images-sbom manifests terraform terraform-scan \
  terraform-provider security workflows-lint release-notes release-check dist images-login images-push \
  images-sign release-publish

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

unit: setup ## All tests but the slow set
	$(BIN)/python -m pytest -n 2 --dist worksteal -m 'not slow'

test-slow: setup ## The slow set: what takes long and is rarely needed
	$(BIN)/python -m pytest -m slow

docs: setup ## Write what is generated: the data dictionary, the README's dataset table, Terraform's tables
	$(BIN)/python -m crypto_lakehouse.docs
	$(BIN)/python -m crypto_lakehouse.catalog.terraform

terraform: setup ## The AWS side: format, validity, and a real apply against a stand-in; needs terraform and its AWS provider
	TEST_TERRAFORM=1 $(BIN)/python -m pytest tests/terraform --ignore tests/terraform/test_scan.py -rs

terraform-provider: setup ## Fetch the AWS provider that the tests apply with, unless it is here
	$(BIN)/python -m tests.terraform.provider

terraform-scan: setup .venv-checkov/.ready ## Scan the AWS side for insecure settings, with a bad module as control
	CHECKOV=$(CURDIR)/.venv-checkov/bin/checkov $(BIN)/python -m pytest tests/terraform/test_scan.py

manifests: setup .venv-manifests/.ready ## Hold the manifests for Kubernetes and the steps' pods to Kubernetes' own schemas
	KUBERNETES_VALIDATE=$(CURDIR)/.venv-manifests/bin/kubernetes-validate $(BIN)/python -m pytest tests/deploy

.venv-manifests/.ready: tests/deploy/requirements-manifests.txt
	$(PYTHON) -m venv .venv-manifests
	.venv-manifests/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	touch $@

.venv-checkov/.ready: tests/terraform/requirements-checkov.txt
	$(PYTHON) -m venv .venv-checkov
	.venv-checkov/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	touch $@

lock: ## Pin all dependencies anew from requirements.in
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header requirements.in --output-file requirements.txt
	for name in $(LOCKED_IMAGES); do $(LOCK_HASHES) --constraint requirements.txt images/$$name/requirements.in \
	  --output-file images/$$name/requirements.txt || exit 1; done
	$(LOCK_HASHES) --constraint requirements.txt images/build.in --output-file images/build.txt
	$(LOCK_HASHES) images/checks/requirements.in --output-file images/checks/requirements.txt
	for lock in $(TEST_LOCKS); do $(LOCK_HASHES) $$lock.in --output-file $$lock.txt || exit 1; done

bench: setup ## Measure; see docs/performance.md
	$(BIN)/python -m tests.bench

bench-peers: ## Install the packages we are measured beside, into their own environment; needs Python 3.12
	$(PEERS_PYTHON) -m venv .venv-peers
	.venv-peers/bin/pip install --quiet --disable-pip-version-check --requirement tests/bench/peers-requirements.txt

images: ## Build the images: [REGISTRY=.. TAG=.. BASE_IMAGE=..]
	for name in $(IMAGES); do DOCKER_BUILDKIT=1 docker build --build-arg BASE_IMAGE=$(BASE_IMAGE) \
	  --build-arg VERSION=$(VERSION) --build-arg REVISION=$$(git rev-parse HEAD) \
	  --build-arg CREATED=$$(git log -1 --format=%cI) --build-arg SOURCE=$(SOURCE) \
	  --tag $(REGISTRY)/$$name:$(TAG) --file images/$$name/Dockerfile . || exit 1; done

test-containers: setup .venv-checks/.ready .venv-ministack/.ready ## Build the images and run what needs a Docker engine, compose too: [REQUIRE_ALL=1], or what misses a program is skipped
	TEST_CONTAINERS=1 $(BIN)/python -m pytest tests/containers tests/compose -rs

docker-registry: ## Install the registry that pushing is tried against, a package of Debian's and Ubuntu's, unless it is here
	@command -v docker-registry || { $(AS_ROOT) apt-get update --quiet && \
	  $(AS_ROOT) apt-get install --quiet --yes --no-install-recommends docker-registry; }

.venv-ministack/.ready: tests/containers/requirements-ministack.txt
	$(PYTHON) -m venv .venv-ministack
	.venv-ministack/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	touch $@

.venv-checks/.ready: images/checks/requirements.txt
	$(PYTHON) -m venv .venv-checks
	.venv-checks/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	touch $@

images-lint: .venv-checks/.ready ## Lint the Dockerfiles
	$(CHECKS)/hadolint images/*/Dockerfile

images-audit: .venv-checks/.ready ## Look for known holes in all that is locked; fails where it cannot look
	$(CHECKS)/python images/checks/audit.py requirements.txt $(foreach name,$(LOCKED_IMAGES),images/$(name)/requirements.txt)

images-sbom: .venv-checks/.ready ## Write what each image holds, as CycloneDX, into sbom/: [REGISTRY=.. TAG=..]
	$(CHECKS)/python images/checks/sbom.py $(foreach name,$(IMAGES),$(REGISTRY)/$(name):$(TAG))

images-login: ## Log in to a registry: REGISTRY=HOST/PATH, with REGISTRY_USER and REGISTRY_PASSWORD in the environment
	@$(PYTHON) release/registry.py login $(REGISTRY)

images-push: ## Push the images, and write their digests to dist/images.sha256: [REGISTRY=.. TAG=..]
	$(PYTHON) release/registry.py push $(foreach name,$(IMAGES),$(REGISTRY)/$(name):$(TAG))

images-sign: ## Sign the pushed digests without a key, and attest their SBOMs; needs cosign: [DRY_RUN=1]
	$(PYTHON) release/sign.py $(if $(DRY_RUN),--dry-run)

workflows-lint: setup .venv-checks/.ready ## Lint the workflows, with bad ones as controls
	$(CHECKS)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(CHECKS)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(CHECKS)/zizmor --offline --persona pedantic .github
	CHECKS=$(CURDIR)/$(CHECKS) $(BIN)/python -m pytest -q tests/release/test_workflows.py

security: setup .venv-checks/.ready ## Secrets in the repository, dangerous calls, and the controls of both
	$(CHECKS)/detect-secrets-hook $(GUESSES:%=--disable-plugin %) --exclude-secrets '$(NAMES)' $$(git ls-files)
	$(CHECKS)/detect-secrets-hook --exclude-secrets '$(NAMES)' $$(git ls-files | grep -vE '$(HASHED)')
	$(CHECKS)/bandit --quiet --recursive --severity-level high include plugins dags images release
	CHECKS=$(CURDIR)/$(CHECKS) $(BIN)/python -m pytest -q tests/release/test_scans.py tests/release/test_audit.py

release-notes: ## Print what the changelog says of this version
	@$(PYTHON) release/notes.py

release-check: ## See that tag, version and changelog agree, and the base has a digest: BASE_IMAGE=.. [TAG_NAME=v1.2.3]
	$(PYTHON) release/notes.py "$$TAG_NAME" > /dev/null
	$(PYTHON) release/base.py $(BASE_IMAGE)

dist: setup ## Build the package, its notes and the checksums of both into dist/
	rm -rf build dist/*.whl && mkdir -p dist
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps \
	  --no-build-isolation --wheel-dir dist .
	$(PYTHON) release/notes.py > dist/notes.md
	cd dist && sha256sum *.whl > SHA256SUMS

release-publish: ## Publish the release with its notes, package, digests and SBOMs; needs gh and its token: [DRY_RUN=1]
	$(if $(DRY_RUN),@echo) gh release create v$(VERSION) --verify-tag --title v$(VERSION) --notes-file dist/notes.md \
	  dist/*.whl dist/SHA256SUMS dist/images.sha256 sbom/*.cdx.json

clean: ## Remove what the demonstration and `up` made; the environment stays
	rm -rf .demo .airflow lake
