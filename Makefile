# Everything a developer types. `make help` lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCKS := deploy/requirements.txt tests/requirements.txt
READY := $(VENV)/.installed
# Where this is set, every process that a test starts would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): pyproject.toml $(LOCKS)
	@$(PYTHON) -c 'import sys; sys.exit("Netreeve needs Python 3.11 or newer; this is %d.%d. Try make PYTHON=python3.12" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@echo "Installing the locked dependencies into $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r deploy/requirements.txt -r tests/requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: install
install: $(READY) ## Create .venv with the locked dependencies

.PHONY: demo
demo: $(READY) ## Judge the samples of deploy/examples over TLS
	@$(BIN)/python deploy/demo.py

.PHONY: playground
playground: $(READY) ## A real control plane with the gate, to try things on
	@$(BIN)/python -m tests.install.playground

.PHONY: control-plane
control-plane: $(READY) ## Build (once) or find what the tests run against
	@$(BIN)/python -m tests.controlplane.build
	@$(BIN)/python -m tests.helm.build

.PHONY: test
test: $(READY) control-plane ## Every test, against a real control plane
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

.PHONY: lint
lint: $(READY) ## Format, lint, types and import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: test-full
test-full: $(READY) control-plane ## Every test at full scale, tens of minutes
	NETREEVE_SCALE=full $(BIN)/python -m pytest $(ARGS)

.PHONY: unit
unit: $(READY) ## The tests that need no control plane and are quick
	$(BIN)/python -m pytest -q -n auto --dist worksteal -m 'not cluster and not slow and not browser' $(ARGS)

.PHONY: check
check: $(READY) ## The linters beside the quick tests, in under a minute
	@$(MAKE) --jobs=2 --output-sync --no-print-directory lint unit

.PHONY: format
format: $(READY) ## Format the code and apply the safe fixes of the linter
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: bench
bench: $(READY) control-plane ## Requests per second and latency, beside a Go webhook
	$(BIN)/python -m tests.bench $(ARGS)

.PHONY: docs
docs: $(READY) ## Write generated docs, schemas and manifests anew
	$(BIN)/netreeve explain -o markdown > docs/policies.md
	$(BIN)/python -m webhook.config.jsonschema > docs/config.schema.json
	$(BIN)/python -m tests.helm.manifests
	$(BIN)/python -m webhook.doctor.document docs/doctor.md
	$(BIN)/python -m webhook.audit.jsonschema > docs/report.schema.json
	$(BIN)/python -m webhook.audit.exposure.jsonschema > docs/exposure.schema.json

.PHONY: manifests
manifests: $(READY) ## Write the chart's rules, install.yaml and stages anew
	$(BIN)/python -m tests.helm.manifests

.PHONY: lock
lock: $(READY) ## Write the hashed requirement files anew
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --upgrade pyproject.toml -o deploy/requirements.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --upgrade --group dev -c deploy/requirements.txt -o tests/requirements.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --upgrade --group build -c tests/requirements.txt -o deploy/build-requirements.txt

.PHONY: clean
clean: ## Remove .venv and everything that was built here
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
