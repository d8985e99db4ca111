#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Breaks the heartbeat on purpose, one rule at a time, and wants to see its tests fail.

    tests/mutants/run.py [-j WORKERS] [NAME...]     a section, a rule, or how a name begins

 1. Each worker has a copy of the sources and a build of its own below build/mutants; the
    tree itself is never touched. What has not changed since the last run is not built again.
 2. Without any patch every test that the table names has to pass: one that fails anyway
    would prove nothing.
 3. For each mutant: apply its patch, build what its tests need, run each of them by itself,
    take the patch back. A test that passes has not seen the mutant: the mutant survives.
    A failure that a busy machine makes too (a missed deadline) has to come twice.
 4. A patch that does not apply or does not compile is a failure of its own.

The exit status is 0 only when every mutant was killed by every test of its row."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import filecmp
import os
import pathlib
import queue
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import table  # noqa: E402

ROOT = table.ROOT
PLACE = ROOT / "build" / "mutants"
C_SECONDS = 150
PYTEST_SECONDS = 180
BUILD_SECONDS = 600
# pytest: 0 all passed, 1 some failed; what is above says that nothing was tested.
PYTEST_SAYS_NOTHING = (2, 3, 4, 5)
# What a machine with too much to do looks like: such a failure has to come twice.
SLOW = re.compile(r"HYT00|imeout|timed out|not over after|whether the server executed it")


class Unusable(Exception):
    """A mutant or a test that proves nothing, and why."""


@dataclasses.dataclass
class Outcome:
    name: str
    good: bool
    words: str
    seconds: float


def sources() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True, text=True,
    ).stdout  # fmt: skip
    return sorted(name for name in set(listed.split("\0")) - {""} if (ROOT / name).is_file())


def why_of(said: str, status: int) -> str:
    """The line that tells most: an assertion's, a sanitizer's, a signal's."""
    for mark in ("Error: ", "error: ", "[   LINE   ]", "assertion", "Timeout"):
        for line in said.splitlines():
            if mark in line:
                return line.strip()[-110:]
    return f"signal {-status}" if status < 0 else f"status {status}"


class Worker:
    def __init__(self, number: int) -> None:
        self.place = PLACE / str(number)
        self.tree = self.place / "tree"
        self.build = self.place / "build"
        self.programs = table.c_programs()

    # --- the copy ------------------------------------------------------------------------

    def copy(self) -> None:
        """Files that are the same keep their time, so that they are not built again."""
        wanted = sources()
        self.tree.mkdir(parents=True, exist_ok=True)
        for name in wanted:
            source, target = ROOT / name, self.tree / name
            if target.is_file() and filecmp.cmp(source, target, shallow=False):
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            shutil.copymode(source, target)
        for path in sorted(self.tree.rglob("*")):
            name = str(path.relative_to(self.tree))
            if path.is_file() and not path.is_symlink() and name not in set(wanted):
                if "__pycache__" not in name:
                    path.unlink()
        for name in (".venv", "build/deps"):
            link = self.tree / name
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.is_symlink():
                link.symlink_to(ROOT / name)

    @contextlib.contextmanager
    def broken(self, patch: pathlib.Path) -> Iterator[None]:
        """The copy with the patch; afterwards as before, whatever happens to ROOT meanwhile."""
        names = table.files_of(patch)
        kept = {name: (self.tree / name).read_bytes() for name in names}
        try:
            applied = table.apply(patch, self.tree)
            if applied.returncode != 0:
                raise Unusable(f"the patch does not apply:\n{applied.stderr}")
            yield
        finally:
            for name, data in kept.items():
                (self.tree / name).write_bytes(data)

    # --- building ------------------------------------------------------------------------

    def configure(self) -> None:
        self.command(
            BUILD_SECONDS, "cmake", "-S", str(self.tree), "-B", str(self.build), "-G", "Ninja",
            "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_C_FLAGS_DEBUG=-O1 -g1", "-DLAKEBEAT_DEBUG=ON",
            "--log-level=WARNING",
        )  # fmt: skip

    def make(self, tests: list[str]) -> None:
        targets = {self.programs[name] for name in tests if name in self.programs}
        if any("::" in name for name in tests):
            targets.add("adbc_driver_lakebeat")
        self.command(BUILD_SECONDS, "ninja", "-C", str(self.build), "-j", "1", *sorted(targets))

    def command(self, seconds: float, *words: str) -> None:
        done = subprocess.run(words, capture_output=True, text=True, timeout=seconds)
        if done.returncode != 0:
            raise Unusable(f"{words[0]} failed:\n{(done.stdout + done.stderr)[-3000:]}")

    # --- running -------------------------------------------------------------------------

    def failure(self, test: str) -> str:
        """Runs one test by itself; empty: it passes. Else why not, in few words: a crash, an
        abort or a hang is a failure of the test too."""
        env = {name: text for name, text in os.environ.items() if "LAKEBEAT" not in name}
        env["PYTHONDONTWRITEBYTECODE"] = "1"
        if "::" in test:
            words = [
                sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider",
                "--timeout", "60", "--tb=line", "-rf", test,
            ]  # fmt: skip
            env["LAKEBEAT_BUILD_DIR"] = str(self.build)
            env["LAKEBEAT_DRIVER"] = str(self.build / "libadbc_driver_lakebeat.so")
            seconds = PYTEST_SECONDS
        else:
            words = [str(self.build / "unit" / self.programs[test])]
            env["LAKEBEAT_TEST_FILTER"] = test
            seconds = C_SECONDS
        try:
            done = subprocess.run(
                words, cwd=self.tree, env=env, capture_output=True, text=True,
                errors="replace", timeout=seconds,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"not over after {seconds} s"
        said = done.stdout + done.stderr
        if "::" in test and done.returncode in PYTEST_SAYS_NOTHING:
            raise Unusable(f"{test} was not run:\n{said[-2000:]}")
        if "::" not in test and f"] {test}" not in said:
            raise Unusable(f"{test} was not run:\n{said[-2000:]}")
        return "" if done.returncode == 0 else why_of(said, done.returncode)

    def sure_failure(self, test: str) -> str:
        why = self.failure(test)
        return self.failure(test) if SLOW.search(why) else why

    def baseline(self, tests: list[str]) -> list[str]:
        failures = [(test, self.sure_failure(test)) for test in tests]
        return [f"{test}: {why}" for test, why in failures if why]

    def kill(self, mutant: table.Mutant) -> str:
        """Raises Unusable when it survives or cannot be judged; else says what saw it, and
        how."""
        with self.broken(mutant.patch):
            self.make(list(mutant.tests))
            failures = {test: self.sure_failure(test) for test in mutant.tests}
        blind = [test for test, why in failures.items() if not why]
        if blind:
            raise Unusable("SURVIVED " + " ".join(blind))
        return "; ".join(f"{test.rpartition('::')[2]}: {why}" for test, why in failures.items())


def say(outcome: Outcome) -> None:
    word = "killed" if outcome.good else "FAILED"
    print(f"{word}  {outcome.name:<42} {outcome.seconds:5.1f} s  {outcome.words}", flush=True)


def work(worker: Worker, todo: "queue.Queue[table.Mutant]", outcomes: list[Outcome]) -> None:
    while True:
        try:
            mutant = todo.get_nowait()
        except queue.Empty:
            return
        since = time.monotonic()
        try:
            words, good = worker.kill(mutant), True
        except (Unusable, subprocess.TimeoutExpired) as why:
            words, good = str(why), False
        outcomes.append(Outcome(mutant.name, good, words, time.monotonic() - since))
        say(outcomes[-1])


def at_once(workers: list[Worker], job) -> list:
    """The job of each worker on a thread of its own; the first failure is raised."""
    found: list = [None] * len(workers)
    failures: list[BaseException] = []

    def body(number: int) -> None:
        try:
            found[number] = job(workers[number], number)
        except BaseException as why:  # noqa: BLE001
            failures.append(why)

    threads = [threading.Thread(target=body, args=(n,)) for n in range(len(workers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return found


def prepare(workers: list[Worker], tests: list[str]) -> list[str]:
    """Copies, builds, and runs each test once without a mutant; returns those that fail."""

    def job(worker: Worker, number: int) -> list[str]:
        worker.copy()
        worker.configure()
        worker.make(tests)
        return worker.baseline(tests[number :: len(workers)])

    return [test for found in at_once(workers, job) for test in found]


def meant(mutant: table.Mutant, name: str) -> bool:
    """The number of a section or rule, or the beginning of a mutant's name."""
    section = mutant.rule.partition(".")[0]
    return name in (section, mutant.rule) or ("-" in name and mutant.name.startswith(name))


def main() -> int:
    arguments = argparse.ArgumentParser(description="see the head of this file")
    arguments.add_argument("names", nargs="*")
    arguments.add_argument("-j", type=int, default=2, dest="workers")
    given = arguments.parse_args()
    chosen = [
        mutant
        for mutant in table.mutants()
        if not given.names or any(meant(mutant, name) for name in given.names)
    ]
    if not chosen:
        print("mutants: no mutant of that name", file=sys.stderr)
        return 1
    since = time.monotonic()
    tests = sorted({test for mutant in chosen for test in mutant.tests})
    workers = [Worker(n) for n in range(max(1, min(given.workers, len(chosen))))]
    try:
        failing = prepare(workers, tests)
    except Unusable as why:
        print(f"mutants: {why}", file=sys.stderr)
        return 1
    for why in failing:
        print(f"FAILED  without any mutant: {why}")
    print(f"mutants: {len(tests)} tests without a mutant, {time.monotonic() - since:.0f} s")
    todo: "queue.Queue[table.Mutant]" = queue.Queue()
    for mutant in chosen:
        todo.put(mutant)
    outcomes: list[Outcome] = []
    at_once(workers, lambda worker, _: work(worker, todo, outcomes))
    bad = sorted(outcome.name for outcome in outcomes if not outcome.good)
    print(
        f"mutants: {len(outcomes) - len(bad)} of {len(chosen)} killed, "
        f"{len(bad)} not, {len(failing)} tests fail anyway, {time.monotonic() - since:.0f} s"
    )
    for name in bad:
        print(f"  not killed: {name}")
    return 1 if bad or failing or len(outcomes) != len(chosen) else 0


if __name__ == "__main__":
    sys.exit(main())
