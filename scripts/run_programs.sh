#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs every program of a folder, one after the other, each with 120 s at most:
#   scripts/run_programs.sh FOLDER [ARGUMENT...]
# All of them are run; the exit status is 1 if any failed.
set -u
folder=$1
shift
export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
passed=0 failed=0
for program in "$folder"/*; do
  if [ ! -f "$program" ] || [ ! -x "$program" ]; then
    continue
  fi
  if timeout --kill-after=5 120 "$program" "$@"; then
    printf 'ok   %s\n' "$program"
    passed=$((passed + 1))
  else
    printf 'FAIL %s (status %d)\n' "$program" "$?"
    failed=$((failed + 1))
  fi
done
printf '%s: %d passed, %d failed\n' "$folder" "$passed" "$failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
