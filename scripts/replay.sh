#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Gives every program of a folder the inputs of tests/fuzz/corpus/<program>/:
#   scripts/replay.sh FOLDER
# A program without inputs, or inputs without a program, is a failure too.
set -u
folder=${1:?usage: scripts/replay.sh FOLDER}
export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1
passed=0 failed=0
for source in tests/fuzz/fuzz_*.c tests/fuzz/corpus/fuzz_*; do
  name=$(basename "$source" .c)
  [[ $source == *.c ]] || [ ! -f "tests/fuzz/$name.c" ] || continue
  printf '%s: ' "$name"
  if timeout 120 "$folder/$name" "tests/fuzz/corpus/$name"; then
    passed=$((passed + 1))
  else
    echo "FAIL $name"
    failed=$((failed + 1))
  fi
done
printf '%d fuzzers replayed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
