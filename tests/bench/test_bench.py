# SPDX-License-Identifier: Apache-2.0
"""The benchmark's own arithmetic, and what it does with contestants that go wrong."""

from __future__ import annotations

import os
import pathlib
import re
import signal
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

import cases  # noqa: E402
import contest  # noqa: E402
import instructions  # noqa: E402
import report  # noqa: E402
import targets  # noqa: E402

COUNTS = """\
ob=(1) /some/where/libadbc_driver_lakebeat.so
fl=(1) a.c
fn=(1) mine
10 5
+2 7
cob=(2) /lib/libc.so.6
cfn=(2) memcpy
calls=3 20
* 900
11 1
ob=(2)
fn=(2)
20 900
ob=(1)
fn=(3) mine_too
-4 100
"""


def series(**fields: list[float]) -> contest.Series:
    count = len(next(iter(fields.values())))
    rounds = [{key: values[i] for key, values in fields.items()} for i in range(count)]
    return contest.Series(rounds)


def test_instructions_are_those_of_the_library_itself():
    assert instructions.count_of(COUNTS, "libadbc_driver_lakebeat.so") == 5 + 7 + 1 + 100
    assert instructions.count_of(COUNTS, "libc.so") == 900


def test_too_many_instructions_are_found_and_an_uncounted_case_is_not():
    limit = instructions.LIMITS["inline-narrow"]
    assert instructions.too_many({"inline-narrow": limit * 1.01}) == ["inline-narrow"]
    assert instructions.too_many({"inline-narrow": limit * 0.99}) == []
    assert instructions.too_many({"inline-narrow": "valgrind is not installed"}) == []


def test_targets_compare_medians_with_the_floor():
    found = {
        "inline-narrow": {
            cases.FLOOR2: series(wall=[1.0, 9.0, 1.0], server_cpu=[0.1] * 3),
            cases.LAKEBEAT: series(wall=[1.1, 0.1, 1.1], server_cpu=[0.1] * 3),
        }
    }
    wall = targets.all_targets(found, 500)[0]
    assert wall.row == ["inline, narrow: wall ÷ floor", "1.10", "≤ 1.2", "met"]
    found["inline-narrow"][cases.LAKEBEAT] = series(wall=[1.3], server_cpu=[0.1])
    assert targets.all_targets(found, 500)[0].verdict == "**not met**"
    found["inline-narrow"][cases.LAKEBEAT] = series(wall=[1.3], server_cpu=[0.7])
    assert targets.all_targets(found, 500)[0].verdict == "server-bound: shows nothing"


def test_a_target_without_figures_is_not_met_in_silence():
    assert {one.verdict for one in targets.all_targets({}, 2000)} == {"not measured", "**not met**"}


def test_the_best_possible_of_far_downloads():
    size = 10 * cases.FAR_BYTES
    far = series(wall=[6.24], files=[10], parallel=[2], bytes=[size])
    found = {"links-far": {cases.LAKEBEAT: far}}
    one = next(t for t in targets.all_targets(found, 0) if t.what.startswith("far away, cloud"))
    assert one.value == pytest.approx(6.24 / (5 * (0.04 + 1)))


def test_a_contestant_that_hangs_is_out_and_leaves_nothing_behind(tmp_path):
    pid = tmp_path / "pid"
    script = f"sleep 60 & echo $! > {pid}; wait"
    begin = time.monotonic()
    with pytest.raises(contest.Out, match="not ready after 1 s"):
        contest.run_process(["sh", "-c", script], "", dict(os.environ), 1)
    assert time.monotonic() - begin < 30
    child = int(pid.read_text())
    deadline = time.monotonic() + 10
    while alive(child):
        assert time.monotonic() < deadline, "the contestant's child lives on"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    "script, reason",
    [
        ("echo first >&2; echo last words >&2; exit 3", "status 3: last words"),
        ("echo 'panic: sums' >&2; echo main.go:1 >&2; exit 2", "status 2: panic: sums"),
        ("exit 1", "status 1: without a message"),
        (f"kill -{signal.SIGSEGV.value} $$", "status -11"),
        ("echo no json", "not to be read"),
    ],
)
def test_a_contestant_that_fails_is_out_with_its_last_words(script, reason):
    with pytest.raises(contest.Out, match=reason):
        contest.run_process(["sh", "-c", script], "", dict(os.environ), 30)


class Warehouse:
    """As much of one as a contest asks."""

    def __init__(self, files: int = 0):
        self.token, self.uri, self.pid, self.files = "t", "http://127.0.0.1:1/", os.getpid(), files

    def reset(self):
        pass

    def stats(self):
        storage = {"requests": self.files, "bytes_out": 0, "max_in_flight": 1}
        return {"requests_total": 4, "bytes_out": 10, "storage": storage}


class Scripted(contest.Contest):
    """Its only contestant says what it is told to say."""

    def __init__(self, says: str, *, by: str = "inline", files: int = 0):
        case = cases.Case("one", "one", cases.narrow(1000), 1000, [cases.LAKEBEAT], by)
        paths = contest.Paths(pathlib.Path("nowhere"), pathlib.Path("nowhere"))
        super().__init__(Warehouse(files), case, paths, 30)
        self.says = says

    def client(self, who, verify):
        return ["echo", self.says]


def test_rounds_are_counted_without_the_warm_up():
    found = Scripted('{"rows": 1000, "sum": 499500, "wall": 1}').run(3, 2)[cases.LAKEBEAT]
    assert found.out == "" and len(found.rounds) == 3
    assert found.rounds[0]["requests"] == 4 and found.rounds[0]["bytes"] == 10


@pytest.mark.parametrize(
    "says, more, reason",
    [
        ('{"rows": 999, "sum": 499500}', {}, "read 999 rows instead of 1000"),
        ('{"rows": 1000, "sum": 499501}', {}, "its sum is 499501 instead of 499500"),
        ('{"rows": 1000, "sum": 499500}', {"by": "links"}, "asks for rows, not for links"),
        ('{"rows": 1000, "sum": 499500}', {"files": 1}, "where there are none"),
    ],
)
def test_who_reads_something_else_is_out(says, more, reason):
    found = Scripted(says, **more).run(2, 1)
    assert reason in found[cases.LAKEBEAT].out and not found[cases.LAKEBEAT].rounds
    assert report.broken({"one": found})


def test_a_warehouse_that_is_gone_ends_the_case_with_a_reason():
    one = Scripted('{"rows": 1000, "sum": 499500}')

    def gone():
        raise ConnectionRefusedError("refused")

    one.warehouse.stats = gone
    assert one.run(2, 1)[cases.LAKEBEAT].out == "warehouse: refused"


def test_an_absent_rival_breaks_nothing_and_is_named():
    case = cases.Case("inline-narrow", "narrow", cases.narrow(10), 10, [cases.GO, cases.KERNEL])
    paths = contest.Paths(pathlib.Path("nowhere"), pathlib.Path("nowhere"))
    found = contest.Contest(Warehouse(), case, paths, 30).run(1, 1)
    assert not report.broken({"one": found})
    text = "\n".join(report.table(case, found))
    assert "bench/go is not built" in text and "REST API" in text


def test_wide_has_34_columns():
    names = re.findall(r" AS ([bid]\d+)", cases.wide(1000))
    assert len(set(names)) == len(names) == 33
