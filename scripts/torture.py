#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every unit test again and again, each time with another allocation failing.

    scripts/torture.py FOLDER MOST [NAME...]

FOLDER holds the test programs of a build with AddressSanitizer. With MOST, a test that
allocates more often than that is run MOST times, at allocations evenly spread over it, the
same ones each time; 0 fails every single one, once alone and once with all after it. What
counts as a finding, and how runs are saved, is said in src/base/test_torture.h; the exit
status is 1 if there is a finding.
"""

import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent

SUMMARY = re.compile(
    r"^(\d+) tests, (\d+) allocations, (\d+) runs: (\d+) errors told, (\d+) after one, "
    r"(\d+) right all the same, (\d+) findings$",
    re.MULTILINE,
)
WORDS = ("tests", "allocations", "runs", "errors told", "after one", "right", "findings")


def tortured(program: pathlib.Path, most: int) -> tuple[str, list[int] | None, str, float]:
    environment = {
        **os.environ,
        "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "LAKEBEAT_SOURCE_DIR": str(ROOT),
    }
    started = time.monotonic()
    run = subprocess.run(
        [program, "--torture", str(most)],
        cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace",
    )  # fmt: skip
    found = SUMMARY.search(run.stdout)
    counts = [int(group) for group in found.groups()] if found else None
    # A program that says nothing of itself has not done what it was asked to do.
    if counts and (run.returncode != 0) != (counts[-1] > 0):
        counts = None
    return program.name, counts, run.stdout, time.monotonic() - started


def main(folder: str, most: int, names: list[str]) -> int:
    programs = sorted(p for p in pathlib.Path(folder).glob("*_test") if os.access(p, os.X_OK))
    if names:
        programs = [p for p in programs if p.name in names]
    if not programs:
        print(f"torture: no test program in {folder}", file=sys.stderr)
        return 2
    sums = [0] * len(WORDS)
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        tasks = [pool.submit(tortured, program, most) for program in programs]
        for task in concurrent.futures.as_completed(tasks):
            name, counts, output, seconds = task.result()
            if counts is None or counts[-1] > 0:
                bad += 1
                print(output)
            said = "did not run to its end" if counts is None else (
                ", ".join(f"{count} {word}" for count, word in zip(counts, WORDS))
            )
            print(f"{name}: {said} ({seconds:.1f} s)", flush=True)
            sums = [a + b for a, b in zip(sums, counts or [0] * len(WORDS))]
    sample = f"at most {most} allocations of each test" if most else "every allocation"
    print(f"torture ({sample}): " + ", ".join(f"{n} {word}" for n, word in zip(sums, WORDS)))
    return 1 if bad else 0


if __name__ == "__main__":
    if len(sys.argv) < 3 or not sys.argv[2].isdigit():
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
