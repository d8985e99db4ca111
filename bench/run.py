#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The benchmark: lakebeat, a floor that nobody can go below, and other drivers, on the same
results of one local warehouse, in turn.

    bench/run.py [--quick] [--scale F] [--rounds N] [--only REGEX] [--build FOLDER] [--write]

Prints tables and targets; with --write also puts them into bench/results/<date>.md. Nothing
is asserted about time: status 1 means that lakebeat or the floor could not be measured, or that
the driver executes more instructions a row than it may.
"""

from __future__ import annotations

import argparse
import datetime
import pathlib
import re
import signal
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(HERE)]

import cases  # noqa: E402
import instructions  # noqa: E402
import report  # noqa: E402
from contest import Contest, Paths  # noqa: E402
from warehouse.testing import ControlError, Warehouse  # noqa: E402

ROUNDS, QUICK_ROUNDS = 5, 2
WARM_UPS, QUICK_WARM_UPS = 2, 1
SECONDS, QUICK_SECONDS = 300, 60
QUICK_SCALE = 0.05


class Server:
    """The warehouse of the case that runs; kept for the next one if that wants the same."""

    def __init__(self) -> None:
        self.options: dict = {}
        self.warehouse: Warehouse | None = None

    def of(self, case: cases.Case) -> Warehouse:
        options = {"bench": True, "no_samples": True, **case.server}
        options |= {} if case.by == "links" else {"no_cloud_fetch": True}
        if self.warehouse is None or options != self.options or not self.answers():
            self.stop()
            self.options = options
            self.warehouse = Warehouse(**options).start()
        return self.warehouse

    def answers(self) -> bool:
        try:
            return bool(self.warehouse and self.warehouse.stats())
        except (OSError, ControlError):
            return False

    def stop(self) -> None:
        warehouse, self.warehouse = self.warehouse, None
        if warehouse:
            warehouse.stop()


def write(text: str) -> None:
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    path = folder / f"{datetime.date.today().isoformat()}.md"
    path.write_text(text, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small results, two rounds")
    parser.add_argument("--scale", type=float, help="of the full sizes (1; --quick: 0.05)")
    parser.add_argument("--rounds", type=int, help="after the warm-up (5; --quick: 2)")
    parser.add_argument("--only", default="", help="cases whose key this regular expression finds")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    parser.add_argument("--write", action="store_true", help="keep the results in a file")
    args = parser.parse_args()

    scale = args.scale or (QUICK_SCALE if args.quick else 1)
    rounds = args.rounds or (QUICK_ROUNDS if args.quick else ROUNDS)
    seconds = QUICK_SECONDS if args.quick else SECONDS
    chosen = (cases.quick_cases if args.quick else cases.all_cases)(scale)
    chosen = [case for case in chosen if re.search(args.only, case.key)]
    paths = Paths(args.build, ROOT / "build" / "bench" / "go_client")

    # Those that share a warehouse, and with it the results that it has encoded, in a row.
    chosen.sort(key=lambda case: (str(sorted(case.server.items())), case.by == "links"))
    known = report.facts(paths, scale, rounds)
    results, counts, text = {}, {}, ""
    server = Server()
    # Ended in an orderly way, the run takes its processes with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        for case in chosen:
            print(f"bench: {case.title} ({case.rows:,} rows)", file=sys.stderr, flush=True)
            contest = Contest(server.of(case), case, paths, seconds)
            results[case.key] = contest.run(rounds, QUICK_WARM_UPS if args.quick else WARM_UPS)
            if case.key in instructions.LIMITS:
                counts[case.key] = instructions.counted(contest)
            text = report.render(chosen, results, counts, known)
            if args.write:
                write(text)  # what was measured is kept if the run is ended
    finally:
        server.stop()
    print(text)
    return 1 if report.broken(results) or instructions.too_many(counts) else 0


if __name__ == "__main__":
    sys.exit(main())
