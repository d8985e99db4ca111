# SPDX-License-Identifier: Apache-2.0
# Thin: every target runs ./setup, which does nothing when all is there, then one command.
.DEFAULT_GOAL := all
.PHONY: all setup demo check check-engines live mutants fuzz soak torture install uninstall format
.PHONY: bench bench-quick bench-programs seeds tidy clean help

PYTHON = .venv/bin/python
DRIVER = $(CURDIR)/build/release/libadbc_driver_lakebeat.so

all: build/release/build.ninja ## build the driver into build/release/
	@cmake --build build/release --target driver -j 2

build/release/build.ninja: setup
	@test -f $@ || cmake --preset release

setup:
	@./setup

demo: all ## the same slow read without and with heartbeat, on the local warehouse
	@LAKEBEAT_DRIVER=$(DRIVER) $(PYTHON) examples/demo.py

check: setup ## every check and test that needs no other server (STEPS="style dev" picks some)
	@scripts/check.sh $(STEPS)

check-engines: all ## the tests against a real Spark and a real Hive; downloads them once (750 MB)
	@./setup --engines
	@SPARK_HOME=$(CURDIR)/$$(ls -td build/deps/pyspark-*/deps | head -n 1) HIVE_JARS=$(CURDIR)/build/deps/hive \
	  LAKEBEAT_DRIVER=$(DRIVER) LAKEBEAT_BUILD_DIR=$(CURDIR)/build/release \
	  $(PYTHON) -m pytest -q -p no:cacheprovider --timeout 900 tests/engines

live: all ## the server-neutral tests on the warehouse that DATABRICKS_* names
	@LAKEBEAT_DRIVER=$(DRIVER) scripts/live.sh

mutants: setup ## breaks each rule of the heartbeat, and wants its tests to fail (NAMES="3.4 5")
	@$(PYTHON) tests/mutants/run.py $(NAMES)

SECONDS = 60
fuzz: ## every fuzzer for SECONDS (60) each; build/corpus keeps what they found
	@./setup --fuzz
	@cmake --preset fuzz --log-level=WARNING >/dev/null
	@cmake --build --preset fuzz -j 2 -- --quiet
	@scripts/fuzz.sh build/fuzz/fuzzers build/corpus $(SECONDS)

soak: all ## the heartbeat at scale and under faults, with figures (12 minutes)
	@cmake --build build/release -j 2 -- --quiet
	@$(PYTHON) tests/soak/soak.py

SEEDS = 200
seeds: all ## files of a store with three faults at random, SEEDS (200) times; with and without sanitizers (5 min)
	@cmake --preset dev --log-level=WARNING >/dev/null
	@cmake --build --preset dev --target driver -j 2 -- --quiet
	@scripts/seeds.sh build/release $(SEEDS) -k random
	@scripts/seeds.sh build/dev $(SEEDS) -k "fault or stay"

bench: bench-programs ## lakebeat, a floor and other drivers on the same results (20 minutes)
	@bench/build_go.sh || echo "bench: databricks-sql-go could not be built and is left out" >&2
	@$(PYTHON) bench/run.py --write $(BENCH)

bench-quick: bench-programs ## the same, small, with what is built already (a minute)
	@$(PYTHON) bench/run.py --quick $(BENCH)

bench-programs: all
	@cmake --build build/release --target bench -j 2 -- --quiet

MOST = 0
torture: setup ## every unit test once per allocation, failing it (9 min; MOST=200: at most so many of each test)
	@cmake --preset dev --log-level=WARNING >/dev/null
	@cmake --build --preset dev -j 2 -- --quiet
	@$(PYTHON) scripts/torture.py build/dev/unit $(MOST)

install: all ## library and ADBC manifest (PREFIX, DESTDIR, ALIAS; per user if not root)
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' ALIAS='$(ALIAS)' scripts/install.sh install

uninstall: setup ## take away what install with the same variables put there
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' ALIAS='$(ALIAS)' scripts/install.sh uninstall

format: setup ## clang-format over the C sources
	@find src include tests examples bench -name '*.[ch]' 2>/dev/null | xargs .venv/bin/clang-format -i

tidy: setup ## clang-tidy over src/
	@cmake --preset clang >/dev/null
	@$(PYTHON) scripts/tidy.py build/clang

clean: ## remove the builds; build/deps, build/corpus and .venv stay
	@rm -rf build/release build/dev build/tsan build/clang build/fuzz build/mutants

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 16
