#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs every fuzzer of a folder, one after the other, each for so many seconds:
#   scripts/fuzz.sh FOLDER CORPUS SECONDS
# A fuzzer begins with tests/fuzz/corpus/<fuzzer>/ and what CORPUS/<fuzzer>/ has from earlier
# runs, and adds to the latter. An input that fails is written to CORPUS/<fuzzer>-<kind>-<hash>;
# give it to the fuzzer as its only argument to see it again. The exit status is 1 if any failed.
set -u
if [ $# -ne 3 ] || ! [[ $3 =~ ^[1-9][0-9]*$ ]]; then
  echo "usage: scripts/fuzz.sh FOLDER CORPUS SECONDS (a whole number from 1)" >&2
  exit 2
fi
folder=$1 corpus=$2 seconds=$3
export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1
passed=0 failed=0
for program in "$folder"/fuzz_*; do
  if [ ! -f "$program" ] || [ ! -x "$program" ]; then
    continue
  fi
  name=$(basename "$program")
  folders=("$corpus/$name")
  mkdir -p "$corpus/$name"
  [ ! -d "tests/fuzz/corpus/$name" ] || folders+=("tests/fuzz/corpus/$name")
  printf '\n=== %s (%d s)\n' "$name" "$seconds"
  if "$program" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -verbosity=0 \
    -print_final_stats=1 -artifact_prefix="$corpus/$name-" "${folders[@]}"; then
    printf 'ok   %s\n' "$name"
    passed=$((passed + 1))
  else
    printf 'FAIL %s\n' "$name"
    failed=$((failed + 1))
  fi
done
printf '%d fuzzers passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
