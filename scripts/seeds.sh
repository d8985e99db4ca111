#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Reads results in files of a store with three faults of store and links at random:
#   scripts/seeds.sh BUILD SEEDS [PYTEST ARGUMENT...]
# The driver is that of the folder BUILD. If AddressSanitizer watches it, tests/conftest.py asks
# at the end for blocks that are left.
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=$PWD/$1
seeds=$2
shift 2
export LAKEBEAT_BUILD_DIR=$build LAKEBEAT_DRIVER=$build/libadbc_driver_lakebeat.so
export LAKEBEAT_SEEDS=$seeds PYTHONDONTWRITEBYTECODE=1
test -f "$LAKEBEAT_DRIVER"
if asan=$(ldd "$LAKEBEAT_DRIVER" | grep -o '/[^ ]*libasan[^ ]*'); then
  # It has to come before all others, and wants to find C++'s throw when it begins.
  LD_PRELOAD="$asan $(gcc -print-file-name=libstdc++.so.6)"
  # From Python's own allocator it does not see what is still in use.
  export LD_PRELOAD PYTHONMALLOC=malloc
  export ASAN_OPTIONS=detect_leaks=1:leak_check_at_exit=0:detect_stack_use_after_return=1
  export UBSAN_OPTIONS=print_stacktrace=1
fi
exec .venv/bin/python -m pytest -q -p no:cacheprovider --timeout 300 -n 2 \
  "$@" tests/e2e/test_cloudfetch.py
