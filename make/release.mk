# Locks, images, scans, the package and its release. The Makefile includes this file.
LOCKED_IMAGES := s5cmd polars quality exchange cli airflow store glue
IMAGES := $(LOCKED_IMAGES) secrets guard database
# The extras and groups of pyproject.toml that each image installs, without the packages in images/<name>/without.in.
PACKAGES_s5cmd := pyproject.toml --extra pull
PACKAGES_polars := pyproject.toml --extra pull --extra conform --extra reports --extra s3 --extra glue
PACKAGES_quality := pyproject.toml --extra gate --extra s3
PACKAGES_exchange := pyproject.toml --extra exchange --extra pull --extra s3
PACKAGES_cli := pyproject.toml --extra reports --extra s3 --extra glue
PACKAGES_airflow := pyproject.toml --extra airflow --extra postgres --extra s3
PACKAGES_glue := pyproject.toml --extra s3 --extra glue --group glue-server
PACKAGES_store := --group pyproject.toml:store
# Environments of checks and tests, separate from .venv.
OTHER_LOCKS := images/checks/requirements tests/containers/requirements-ministack tests/terraform/requirements-checkov \
  tests/deploy/requirements-manifests
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header $(if $(UPGRADE),--upgrade)
REGISTRY ?= crypto-lakehouse
VERSION := $(shell sed -n 's/^__version__ = "\(.*\)"$$/\1/p' include/crypto_lakehouse/__init__.py)
# RELEASE=1 names images by the version of the package, as Terraform and the changelog do.
TAG ?= $(if $(RELEASE),$(VERSION),latest)
SOURCE ?= unknown
BASE_IMAGE ?= python:3.12-slim-bookworm
CHECKS := .venv-checks/bin
# Hashes and the invented keys of tests look like secrets. Locks, tests and generated files are therefore only searched
# for the formats of known kinds of keys.
HASHED := requirements[^/]*\.txt$$|images/build\.txt$$|\.auto\.tfvars\.json$$|^tests/
# Words that documentation and tests have in place of a secret, and addresses of secrets.
NAMES := ^(password|made-before|cat /secrets/[a-z/-]+|(crypto-lakehouse|lake-keys)[/-][a-z]+)\W*$$
GUESSES := Base64HighEntropyString HexHighEntropyString KeywordDetector
AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo)

.PHONY: lock images images-lint images-audit images-sbom images-login images-push images-sign docker-registry \
  workflows-lint security release-notes release-check dist release-publish

lock: ## Compile all locks from pyproject.toml; pins that still fit stay: [UPGRADE=1 moves all]
	$(COMPILE) pyproject.toml --all-extras --group dev --output-file requirements.txt
	$(foreach name,$(LOCKED_IMAGES),$(COMPILE) --generate-hashes --constraint requirements.txt $(PACKAGES_$(name)) \
	  $(if $(wildcard images/$(name)/without.in),--excludes images/$(name)/without.in) \
	  --output-file images/$(name)/requirements.txt &&) true
	$(COMPILE) --generate-hashes --constraint requirements.txt images/build.in --output-file images/build.txt
	for lock in $(OTHER_LOCKS); do $(COMPILE) --generate-hashes $$lock.in \
	  --output-file $$lock.txt || exit 1; done

images: ## Build the images: [REGISTRY=.. TAG=.. BASE_IMAGE=..]
	for name in $(IMAGES); do DOCKER_BUILDKIT=1 docker build --build-arg BASE_IMAGE=$(BASE_IMAGE) \
	  --build-arg VERSION=$(VERSION) --build-arg REVISION=$$(git rev-parse HEAD) \
	  --build-arg CREATED=$$(git log -1 --format=%cI) --build-arg SOURCE=$(SOURCE) \
	  --tag $(REGISTRY)/$$name:$(TAG) --file images/$$name/Dockerfile . || exit 1; done

docker-registry: ## Install the registry of Debian or Ubuntu that tests push to, unless it is installed
	@command -v docker-registry || { $(AS_ROOT) apt-get update --quiet && \
	  $(AS_ROOT) apt-get install --quiet --yes --no-install-recommends docker-registry; }

.venv-checks/.ready: images/checks/requirements.txt
	$(PYTHON) -m venv .venv-checks
	.venv-checks/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	touch $@

images-lint: .venv-checks/.ready ## Lint the Dockerfiles
	$(CHECKS)/hadolint images/*/Dockerfile

images-audit: .venv-checks/.ready ## Look up known vulnerabilities of all locked packages; fails if one cannot be looked up
	$(CHECKS)/python images/checks/audit.py requirements.txt $(foreach name,$(LOCKED_IMAGES),images/$(name)/requirements.txt)

images-sbom: .venv-checks/.ready ## Write the bill of materials of each image, as CycloneDX, into sbom/: [REGISTRY=.. TAG=..]
	$(CHECKS)/python images/checks/sbom.py $(foreach name,$(IMAGES),$(REGISTRY)/$(name):$(TAG))

images-login: ## Log in to a registry: REGISTRY=HOST/PATH, with REGISTRY_USER and REGISTRY_PASSWORD in the environment
	@$(PYTHON) release/registry.py login $(REGISTRY)

images-push: ## Push the images, and write their digests to dist/images.sha256: [REGISTRY=.. TAG=..]
	$(PYTHON) release/registry.py push $(foreach name,$(IMAGES),$(REGISTRY)/$(name):$(TAG))

images-sign: ## Sign the pushed digests without a key, and attest their bills of materials; needs cosign: [DRY_RUN=1]
	$(PYTHON) release/sign.py $(if $(DRY_RUN),--dry-run)

workflows-lint: setup .venv-checks/.ready ## Lint the workflows, with faulty ones as controls
	$(CHECKS)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(CHECKS)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(CHECKS)/zizmor --offline --persona pedantic .github
	CHECKS=$(CURDIR)/$(CHECKS) $(BIN)/python -m pytest -q tests/release/test_workflows.py

security: setup .venv-checks/.ready ## Scan for secrets and dangerous calls, with controls
	$(CHECKS)/detect-secrets-hook $(GUESSES:%=--disable-plugin %) --exclude-secrets '$(NAMES)' $$(git ls-files)
	$(CHECKS)/detect-secrets-hook --exclude-secrets '$(NAMES)' $$(git ls-files | grep -vE '$(HASHED)')
	$(CHECKS)/bandit --quiet --recursive --severity-level high include plugins dags images release
	CHECKS=$(CURDIR)/$(CHECKS) $(BIN)/python -m pytest -q tests/release/test_scans.py tests/release/test_audit.py

release-notes: ## Print the section of the changelog for this version
	@$(PYTHON) release/notes.py

release-check: ## Check that tag, version and changelog agree, and that the base has a digest: BASE_IMAGE=.. [TAG_NAME=v1.2.3]
	$(PYTHON) release/notes.py "$$TAG_NAME" > /dev/null
	$(PYTHON) release/base.py $(BASE_IMAGE)

dist: setup ## Build the package, its notes and its checksums into dist/
	rm -rf build dist/*.whl && mkdir -p dist
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps \
	  --no-build-isolation --wheel-dir dist .
	$(PYTHON) release/notes.py > dist/notes.md
	cd dist && sha256sum *.whl > SHA256SUMS

release-publish: ## Publish the release with notes, package, digests and bills of materials; needs gh and its token: [DRY_RUN=1]
	$(if $(DRY_RUN),@echo) gh release create v$(VERSION) --verify-tag --title v$(VERSION) --notes-file dist/notes.md \
	  dist/*.whl dist/SHA256SUMS dist/images.sha256 sbom/*.cdx.json
