# `make` explains itself: each target's line below is its help.
.DEFAULT_GOAL := help
.PHONY: help run test check bench e2e lock stop clean setup

WITH := .ci/with
# Tests and checks use engines of their own, so that they never meet the data of `make run`.
TESTING := VAR_DIR=var/test EMBEDDED_FAST=1
CHECKING := VAR_DIR=var/check EMBEDDED_FAST=1
PRODUCTION := DEBUG=0 DEMO=0 ALLOWED_HOSTS=portal.example.com SITE_URL=https://portal.example.com \
	SECRET_KEY=only-for-the-check-0123456789-abcdefghijklmnopqrstuvwxyz
PORTAL_ARGS ?=
PYTEST_ARGS ?=
BENCH_ARGS ?=

help: ## Show the targets.
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r name text; do \
		printf '  make %-7s %s\n' "$$name" "$$text"; done

run: ## Install what is missing and run the whole portal (PORTAL_ARGS="--port 8080 --no-demo").
	@.ci/setup runtime
	@exec $(WITH) python manage.py portal $(PORTAL_ARGS)

test: ## Install what is missing and run all tests (PYTEST_ARGS="-k receipt").
	@.ci/setup test
	@.ci/test $(PYTEST_ARGS); code=$$?; \
		$(TESTING) $(WITH) python -m crm_billing.embedded stop >/dev/null; exit $$code

e2e: ## Run only the tests that drive a browser.
	@.ci/setup test
	@$(WITH) python -m pytest tests/e2e $(PYTEST_ARGS); code=$$?; \
		$(TESTING) $(WITH) python -m crm_billing.embedded stop >/dev/null; exit $$code

check: ## Check style, templates, types, migrations, import contracts and production settings.
	@.ci/setup test
	$(WITH) ruff check .
	$(WITH) ruff format --check --quiet .
	$(WITH) djlint templates --lint --quiet
	$(WITH) mypy wallet crm_billing
	$(WITH) lint-imports
	$(CHECKING) $(WITH) python manage.py makemigrations --check --dry-run
	@$(CHECKING) $(WITH) python -m crm_billing.embedded stop >/dev/null
	$(PRODUCTION) $(WITH) python manage.py check --deploy --fail-level WARNING

bench: ## Measure the ledger against pgbench in the same run (BENCH_ARGS="--rounds 5").
	@.ci/setup test
	$(WITH) python benchmarks/ledger.py $(BENCH_ARGS)

lock: ## Resolve requirements*.in into the hash-locked requirements*.txt (UPGRADE=--upgrade).
	@.ci/setup test
	@for name in requirements requirements-dev; do $(WITH) uv pip compile --quiet $(UPGRADE) \
		--generate-hashes --no-header --universal --python-version 3.11 \
		--no-emit-index-url --no-emit-find-links --no-annotate \
		$$name.in --output-file $$name.txt; done

setup: ## Only install, as `make test` would.
	@.ci/setup test

stop: ## Stop the private PostgreSQL and Redis of this checkout, should any be left running.
	@if [ -x .venv/bin/python ]; then for engines in "" "$(TESTING)" "$(CHECKING)"; do \
		env $$engines $(WITH) python -m crm_billing.embedded stop; done; fi

clean: stop ## Stop, then delete everything a run or an installation left: data, .venv, caches.
	@if [ -x .venv/bin/python ]; then for engines in "" "$(TESTING)" "$(CHECKING)"; do rm -rf "$$( \
		env $$engines $(WITH) python -c 'from crm_billing import embedded; print(embedded.home())')"; \
		done; fi
	@rm -rf var .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
