# `make demo` and `make test` are all a newcomer needs; both build .venv from the hash-pinned lock.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: demo test test-all docs scoreboard lint types contracts check lock clean axe security audit sbom

demo: $(STAMP)
	@$(BIN)/mitigations demo --out out/demo

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist worksteal -q
	$(BIN)/python -m pytest -q -m "local_model and not slow"

test-all: $(STAMP)
	$(BIN)/python -m pytest -q -m ""

# The reference pages from the code; a test fails while they are stale.
docs: $(STAMP)
	$(BIN)/python -m mitigations.cli.reference

# What the project shows about itself: runs the checks it lists, then writes docs/scoreboard.md.
scoreboard: $(STAMP)
	$(BIN)/python -m tests.scoreboard

# What the tests' browser checks pages with: a pinned file from npm, never part of the product.
axe:
	@.ci/axe $(CURDIR)/.venv/axe-core

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

contracts: $(STAMP)
	$(BIN)/lint-imports

# Bandit reads no `noqa`; what it skips is held line by line by ruff's S104, S608 and S704 (pyproject.toml).
security: $(STAMP)
	$(BIN)/bandit --quiet --recursive -ll -c pyproject.toml mitigations variants runner stats reports
	$(BIN)/python .ci/pth.py .venv

check: lint types contracts security

# Known vulnerabilities of everything in the lock. Needs a network: it asks the advisory database.
# A package that could not be looked up is a failure, not a pass.
audit: $(STAMP)
	$(BIN)/pip-audit --strict --disable-pip --require-hashes -r requirements.lock

# What a release is made of, as CycloneDX; the same lock gives the same file.
sbom: $(STAMP)
	@mkdir -p dist
	$(BIN)/cyclonedx-py requirements --output-reproducible --pyproject pyproject.toml \
		--output-format JSON --output-file dist/sbom.cdx.json requirements.lock

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary :all: -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# Needs uv. The file holds no index address: anyone can install it from the index they trust.
lock:
	uv pip compile --universal --generate-hashes --no-header --python-version 3.11 \
		--override requirements.overrides requirements.in pyproject.toml \
		--all-extras --group dev --output-file requirements.lock

clean:
	rm -rf .venv dist build out .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
