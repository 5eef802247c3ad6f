# Everything that is built once (the runtime, application containers) goes to the folder that
# tools/cache-dir prints. SIFPROV_RUNTIME=PATH uses another container runtime.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.NOTPARALLEL:

BIN := .venv/bin
ROOT := $(filter 0,$(shell id -u))
# Go's own archive goes where not everybody's PATH leads.
export PATH := $(PATH):/usr/local/go/bin
# As root every test can run, so none may be skipped for want of a runtime or a user.
export SIFPROV_REQUIRE_RUNTIME ?= $(if $(ROOT),1,0)

step = @printf '\n== %s\n' '$(1)' >&2

.PHONY: help
help: ## show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## install what a fresh Debian machine lacks, and make .venv
	$(call step,set-up)
	@tools/setup

.PHONY: runtime
runtime: setup ## build SingularityCE with plugin support, once; prints its bin folder
	$(call step,container runtime)
	@$(if $(SIFPROV_RUNTIME),dirname "$$(tools/find-runtime)",tools/build-runtime)

.PHONY: runtime-apptainer
runtime-apptainer: setup ## build Apptainer with plugin support, once; prints its bin folder
	$(call step,Apptainer)
	@tools/build-apptainer

.PHONY: app
app: runtime ## build the application containers, once
	$(call step,application containers)
	@tools/build-app scenarios/gnuplot-single/gnuplot.def
	@tools/build-app tests/real/busybox.def

.PHONY: scenario-apps
scenario-apps: app ## build those of all scenarios, once
	@tools/build-app scenarios/soil/kknn.def
	@tools/build-app scenarios/soil/forest.def
	@tools/build-app scenarios/pipeline/prepare.def
	@for name in simulate learn plot all; do tools/build-app scenarios/surrogate/$$name.def; done

.PHONY: plugin
plugin: runtime ## install the plugin into the runtime (root)
	$(call step,plugin)
	@runtime=$$(tools/find-runtime); \
	$(BIN)/sifprov plugin $(if $(ROOT),install,status) --runtime "$$runtime"

.PHONY: demo
demo: app plugin ## run scenario 1 with the plugin, print its trail and replay it
	$(call step,scenario 1: gnuplot)
	@scenarios/gnuplot-single/run.sh

.PHONY: check
check: setup ## formats, lint, types, import rules, go vet
	$(call step,ruff format)
	@$(BIN)/ruff format --check .
	$(call step,ruff check)
	@$(BIN)/ruff check .
	$(call step,mypy)
	@$(BIN)/mypy
	$(call step,import rules)
	@$(BIN)/lint-imports
	$(call step,gofmt)
	@wrong=$$(gofmt -l plugin); [ -z "$$wrong" ] || { echo "not formatted: $$wrong"; exit 1; }
	$(call step,go vet)
	@cd plugin && go vet ./... && go vet -tags singularity_engine ./...

.PHONY: go-test
go-test: ## the plugin's own tests
	$(call step,go test)
	@cd plugin && go test ./...

.PHONY: unit
unit: setup ## tests that need no runtime
	$(call step,pytest (not real))
	@$(BIN)/pytest -m 'not real' --ignore tests/real

.PHONY: real
real: scenario-apps runtime-apptainer ## tests that drive the real runtime, as root and as an ordinary user
	$(call step,pytest (real))
	@$(BIN)/pytest -m real

# Three rows of real tests, each on a machine of its own as far as they change one.
row = @tools/test-user >/dev/null; tools/own-machine $(BIN)/pytest -m '$(1)' tests/real
on-apart: export SIFPROV_TEST_USER := sifprovtest2
on-apptainer: export SIFPROV_TEST_USER := sifprovtest3

.PHONY: on-singularity
on-singularity:
	$(call step,pytest (real, SingularityCE))
	$(call row,real and not apptainer and not apart)

.PHONY: on-apart
on-apart:
	$(call step,pytest (real, SingularityCE: changing plugins, against bare runs, the wrapper))
	$(call row,apart)

.PHONY: on-apptainer
on-apptainer:
	$(call step,pytest (real, Apptainer))
	$(call row,apptainer)

.PHONY: test
test: scenario-apps runtime-apptainer ## all of it
	$(call step,four rows of checks, two at a time)
	@# Other users read what is compiled here, but cannot keep what they compile.
	@$(BIN)/python -m compileall -q pytools
	@# First what looks at the clock, beside what needs no runtime: two processors carry no more.
	@code=0; \
	tools/side-by-side '$(MAKE) on-apart' 'nice -n 5 $(MAKE) -k check go-test unit' || code=1; \
	tools/side-by-side '$(MAKE) on-singularity' '$(MAKE) on-apptainer' || code=1; \
	exit $$code

.PHONY: fuzz
fuzz: setup ## fuzz every parser: SECONDS=30 each, or RUNS=10000000 together; see docs/fuzzing.md
	$(call step,fuzzing)
	@$(BIN)/python -c 'import atheris' 2>/dev/null || $(BIN)/python -m pip install --quiet -e '.[fuzz]'
	@$(BIN)/python -m tests.fuzz.campaign $(if $(RUNS),--runs $(RUNS),--seconds $(or $(SECONDS),30))

.PHONY: bench
bench: app ## what recording a run costs, beside other programs that record runs (from PyPI)
	$(call step,capture benchmark)
	@$(BIN)/python -m tests.bench.bench_capture $(BENCH)

.PHONY: bench-sif
bench-sif: setup ## how long an append takes, beside bare writes
	$(call step,append benchmark)
	@$(BIN)/python -m tests.bench.bench_sif

.PHONY: bench-extract
bench-extract: setup ## how long extraction takes, beside cp -r
	$(call step,extraction benchmark)
	@$(BIN)/python -m tests.bench.bench_extract

.PHONY: bench-trail
bench-trail: setup ## how long a trail of a thousand runs takes to show
	$(call step,trail benchmark)
	@$(BIN)/python -m tests.bench.bench_trail

.PHONY: bench-files
bench-files: setup ## what the lists of files in records cost, in bytes and time
	$(call step,list benchmark)
	@$(BIN)/python -m tests.bench.bench_files

.PHONY: bench-lineage
bench-lineage: setup ## what lineage takes: bytes for each ancestor, time for each run
	$(call step,lineage benchmark)
	@$(BIN)/python -m tests.bench.bench_lineage

.PHONY: bench-catalog
bench-catalog: setup ## the catalog with 100,000 containers and a million records, on SQLite and PostgreSQL
	$(call step,catalog benchmark)
	@$(BIN)/python -m tests.bench.bench_catalog $(BENCH)

.PHONY: bench-sweep
bench-sweep: app ## a sweep of 200 short runs side by side, bare and recorded
	$(call step,sweep benchmark)
	@$(BIN)/python -m tests.bench.bench_sweep $(BENCH)

.PHONY: bench-space
bench-space: setup ## what a container costs in bytes, and making it in time
	$(call step,space benchmark)
	@$(BIN)/python -m tests.bench.bench_space

.PHONY: bench-telemetry
bench-telemetry: app ## what measuring a run costs beside it, with 1, 50 and 500 processes
	$(call step,telemetry benchmark)
	@$(BIN)/python -m tests.bench.bench_telemetry $(BENCH)

.PHONY: bench-thesis
bench-thesis: scenario-apps ## the numbers of the thesis behind this program, measured again: BENCH='--only time --runs 30'
	$(call step,numbers of the thesis)
	@$(BIN)/python -m tests.bench.bench_thesis $(BENCH)

.PHONY: docs
docs: setup ## build the documentation as a site, in build/site
	$(call step,documentation)
	@$(BIN)/python tools/command-reference > docs/commands.md
	@$(BIN)/mkdocs build && echo build/site/index.html

.PHONY: format
format: setup ## format the Python and Go sources
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	@gofmt -w plugin

.PHONY: clean
clean: ## remove what the targets made in this checkout; the cache stays
	rm -rf .venv build .mypy_cache .ruff_cache .import_linter_cache .hypothesis pytools/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
