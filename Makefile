# Everything a newcomer needs: `make demo` to see it, `make test` to check it.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
# The packages of the wheel.
PACKAGES := headrace producers stream_app dashboard reporter
UV ?= $(firstword $(wildcard $(BIN)/uv) uv)
# Test files that run side by side; each of these processes has services of its own (0: all in one process).
JOBS ?= 3
# Mutants per package that `make mutants` draws, and the seed.
SAMPLE ?= 100
SEED ?= 1
# `make chaos` takes a seed only if one is given.
CHAOS_SEED := $(if $(filter file,$(origin SEED)),,$(SEED))
# The longest files start first: tests/conftest.py sorts them, so xdist must not.
PYTEST = $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help install demo test test-all coverage mutants chaos bench quality report-eval lint vale docs format kafka lock clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do \
		printf '  make %-11s %s\n' "$$name" "$$text"; done

install: $(STAMP) ## Install into .venv (Python 3.11 or newer), every package pinned by hash

$(STAMP): requirements.lock pyproject.toml scripts/check_python.py
	@$(PYTHON) scripts/check_python.py
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

demo: install ## Run everything on this machine: broker, Redis, simulated shop, worker, dashboard
	@$(BIN)/headrace demo

test: install ## Run the unit tests and the fast integration tests (a few minutes)
	$(PYTEST) -m "not slow and not kafka" tests/unit tests/integration

test-all: install ## Run every test but the crash tests: also slow ones, real Kafka and a browser, if available
	$(PYTEST) -m "not chaos"

coverage: install ## Run `make test` with branch coverage, print a report, and fail below the floor
	@rm -rf build/coverage && mkdir -p build/coverage
	$(subst -m pytest,-m coverage run -m pytest,$(PYTEST)) -m "not slow and not kafka" tests/unit tests/integration
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

mutants: install ## Run mutation tests on SAMPLE mutants each of judge, counts and monitor (0: all)
	$(BIN)/python scripts/mutants.py --sample $(SAMPLE) --seed $(SEED)

chaos: install ## Run the long crash tests; SEED=n, FAULTS=redis-flush,zombie or SCALE=0.5: only those of a cluster, as named
	HEADRACE_TEST_SEED=$(CHAOS_SEED) HEADRACE_TEST_FAULTS=$(FAULTS) HEADRACE_TEST_SCALE=$(SCALE) \
		$(BIN)/python -m pytest -s $(if $(CHAOS_SEED)$(FAULTS)$(SCALE),tests/chaos/worker/test_faults.py,tests/chaos)
	$(BIN)/python scripts/faults_table.py $(if $(CHAOS_SEED)$(FAULTS)$(SCALE),,--page)

bench: install ## Run the benchmarks; OLD=DIR compares with an older checkout instead
	$(BIN)/python -m $(if $(OLD),benchmarks.compare $(OLD),benchmarks)

quality: install ## Measure precision, recall, delay and false alarms into docs/explanation/quality.md (some minutes)
	$(BIN)/headrace evaluate --markdown docs/explanation/quality.md

report-eval: install ## Say how well the model of HEADRACE_LLM_* writes reports: grounding, repairs, cost, latency
	$(BIN)/python -m benchmarks.report_eval

lint: install ## Check style, types, the direction of imports, spelling and words
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/python scripts/words.py
	scripts/vale README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md docs $(PACKAGES)

vale: .cache/bin/vale ## Build Vale, which checks words, into .cache/bin (needs Go and a C compiler)

.cache/bin/vale:
	GOBIN=$(CURDIR)/.cache/bin go install github.com/errata-ai/vale/v3/cmd/vale@v3.17.0

docs: install ## Build the documentation site into build/docs and check its links
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet --jobs auto -b html -d build/doctrees docs build/docs
	@echo "build/docs/index.html"

format: install ## Put the code into the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

kafka: install ## Run a real Apache Kafka on 127.0.0.1:9092 until Ctrl-C (needs Java 17 and Maven)
	@$(BIN)/python -m headrace.embedded.kafka

lock: ## Pin every package anew in requirements.lock (needs uv)
	$(UV) pip compile --quiet --upgrade --universal --generate-hashes --all-extras --python-version 3.11 \
		--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
		--output-file requirements.lock pyproject.toml

clean: ## Remove what was installed, cached and built
	rm -rf .venv .cache build dist mutants .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
