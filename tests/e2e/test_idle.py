# SPDX-License-Identifier: Apache-2.0
"""The slow read for which this driver exists: a page, a pause of thirty minutes, a page, such a
pause again, the rest. The reads are those of idle_matrix.py, which runs beside the other tests.
"""

from __future__ import annotations

import subprocess

import pytest
from harness import (
    PAGED,
    ControlError,
    Error,
    Warehouse,
    connected,
    heartbeat,
    run,
)
from idle_matrix import CASES, Outcome, parse

SQL = "SELECT id FROM range(60)"
EXPECTED = range(27, 32)
PAGE = 10
COLUMNS = {"databricks.arrow": "off"}

pytestmark = pytest.mark.timeout(180, method="thread")


@pytest.fixture(scope="module")
def outcomes(idle_matrix: subprocess.Popen) -> dict[str, Outcome]:
    out, err = idle_matrix.communicate(timeout=150)
    assert idle_matrix.returncode == 0, err
    return parse(out)


@pytest.fixture(params=[name for name, case in CASES.items() if case.survives])
def survivor(request: pytest.FixtureRequest, outcomes: dict[str, Outcome]) -> Outcome:
    return outcomes[request.param]


@pytest.fixture(params=[name for name, case in CASES.items() if not case.survives])
def lost(request: pytest.FixtureRequest, outcomes: dict[str, Outcome]) -> Outcome:
    return outcomes[request.param]


def test_every_row_once_and_in_order(survivor: Outcome) -> None:
    assert survivor.error is None
    assert survivor.rows == list(range(60))


def test_a_probe_a_minute(survivor: Outcome) -> None:
    assert len(survivor.probes) == 2
    assert all(count in EXPECTED for count in survivor.probes), survivor.probes
    assert survivor.operation["evicted"] is False


def test_no_gap_over_two_intervals(survivor: Outcome) -> None:
    # A step is a minute; the driver's interval within it a second.
    assert survivor.operation["gap_max"] < 120


def test_statistics_equal_the_counts_of_the_warehouse(survivor: Outcome) -> None:
    seen, probes = survivor.statistics, [r for r in survivor.requests if r["probe"]]
    assert seen["state"] == "armed" and seen["reason"] == "" and seen["armed"] == 1
    assert seen["probes_sent"] == survivor.operation["probes"]["count"] == len(probes)
    # On a slow machine some are sent between the pauses too.
    assert seen["probes_sent"] >= sum(survivor.probes)
    assert seen["probes_succeeded"] == sum(r["status"] == 200 for r in probes)
    assert seen["probes_failed"] == seen["probes_dropped"] == seen["gates_closed"] == 0
    assert seen["bytes"] == sum(r["bytes_in"] + r["bytes_out"] for r in probes)
    assert seen["late_max_ms"] >= 0
    assert seen["since_contact_ms"] >= 0


def test_probes_say_what_they_are(survivor: Outcome) -> None:
    agents = {(r["probe"], "heartbeat" in r["user_agent"]) for r in survivor.requests}
    assert agents == {(True, True), (False, False)}


def test_probe_is_the_one_asked_for(outcomes: dict[str, Outcome]) -> None:
    used = {
        name: {r["rpc"] for r in seen.requests if r["probe"]}
        for name, seen in outcomes.items()
        if seen.case.survives
    }
    status, metadata, fetch = {"GetOperationStatus"}, {"GetResultSetMetadata"}, {"FetchResults"}
    assert used == {
        "databricks-arrow-on": status,
        "databricks-columns-on": status,
        "databricks-status": status,
        "databricks-metadata": metadata,
        "databricks-files-on": status,
        "databricks-declined-on": status,
        "spark-auto": fetch,
        "spark-fetch0": fetch,
        "hive-auto": metadata,
        "hive-metadata": metadata,
    }


def test_files_outlive_their_links(outcomes: dict[str, Outcome]) -> None:
    """Each pause is longer than the life of a link. The operation was kept, so it names new ones,
    and each file is read once."""
    seen = outcomes["databricks-files-on"]
    assert seen.cloud["files"] == seen.cloud["files_delivered"] == len(seen.files) == 6
    assert seen.cloud["rows_delivered"] == 60
    assert [file["first_row"] for file in seen.files] == list(range(0, 60, PAGE))
    for file in seen.files:
        assert file["answers"].get("200") == 1, file
    # Files 1 and 2 had links of the first page when the first pause began; 2 saw the second.
    refused = [file["answers"].get("403", 0) for file in seen.files]
    assert refused[0] == 0 and refused[1] == 1, refused
    assert seen.files[0]["links"] == 1 and seen.files[1]["links"] >= 2
    assert seen.cloud["renewals"] >= 2


def test_files_of_a_lost_operation(outcomes: dict[str, Outcome]) -> None:
    """Without heartbeat the store refuses the old link, and nobody names a new one."""
    seen = outcomes["databricks-files-off"]
    assert seen.rows == list(range(PAGE))
    assert seen.error["sqlstate"] == "24000"
    assert seen.cloud["files_delivered"] == 1 and seen.cloud["renewals"] == 0, seen.cloud
    assert [file["answers"].get("200", 0) for file in seen.files[:3]] == [1, 0, 0]


def test_no_files_where_they_were_declined(outcomes: dict[str, Outcome]) -> None:
    seen = outcomes["databricks-declined-on"]
    assert seen.files == [] and seen.cloud["files"] == 0


def test_lost_with_the_typed_error(lost: Outcome) -> None:
    assert lost.error is not None, f"read to the end: {lost.rows}"
    # What had arrived before the pause is delivered, and nothing is made up.
    assert lost.rows[:PAGE] == list(range(PAGE))
    assert lost.operation["evicted"] is True
    assert lost.error["status"] == "IO"
    assert lost.error["sqlstate"] == "24000"
    told = lost.error["details"]
    assert told["query_id"] == lost.operation["id"]
    assert told.get("retryable") == "false"
    if lost.case.kind == "databricks":
        assert told["http_status"] == "404"
        assert told["error_class"] == "RESOURCE_DOES_NOT_EXIST"


def test_lost_error_explains_itself(lost: Outcome) -> None:
    """Rule 4.4: which statement, last alive, idle, heartbeats that had succeeded, the option."""
    text = lost.error["text"]
    assert lost.operation["id"] in text
    for part in ("last known alive", "idle for", "heartbeats had succeeded"):
        assert part in text, text
    if lost.case.options.get("databricks.heartbeat.enabled") == "false":
        assert "databricks.heartbeat.enabled" in text
    else:
        assert "databricks.heartbeat." in text


def test_no_probe_without_heartbeat(outcomes: dict[str, Outcome]) -> None:
    for name, seen in outcomes.items():
        if seen.case.options.get("databricks.heartbeat.enabled") != "false":
            continue
        assert seen.operation["probes"]["count"] == 0, name
        assert seen.statistics["probes_sent"] == 0, name
        assert seen.statistics["state"] == "not_armed", name
        assert seen.statistics["reason"] == "disabled", name


def test_wrong_probe_is_seen_to_be_lost(outcomes: dict[str, Outcome]) -> None:
    """On Spark and Hive a status call keeps nothing alive: the heartbeat itself learns it."""
    for name in ("spark-status", "spark-metadata", "hive-status"):
        seen = outcomes[name].statistics
        assert seen["probes_sent"] > 0, name
        assert (seen["state"], seen["reason"]) == ("stopped", "handle_lost"), name


def test_zero_row_fetch_is_refused_on_hive(warehouse_of) -> None:
    w = warehouse_of("hive")
    with connected(w, PAGED) as conn:
        with pytest.raises(Error) as caught:
            run(conn, SQL, heartbeat(1, probe="fetch0")).close()
        assert "databricks.heartbeat.probe" in str(caught.value)
        assert "fetch0" in str(caught.value)
        assert w.stats()["requests"].get("ExecuteStatement", 0) == 0
        # The option of the statement alone was wrong: the connection goes on.
        with run(conn, SQL) as read:
            assert read.rest() == list(range(60))


@pytest.mark.parametrize("form", ["arrow", "columns"])
def test_most_of_the_result_stays_on_the_server(w: Warehouse, form: str) -> None:
    """Without this the tests above would prove nothing: one row read and one page fetched ahead
    leave most of sixty rows where they are, and they are probed for."""
    options = COLUMNS if form == "columns" else {}
    with connected(w, PAGED, heartbeat(1), options) as conn:
        with run(conn, SQL) as read:
            assert read.rows(1) == [0]
            assert w.wait("probe", 1, operation=read.query_id) >= 1
            assert w.operation(read.query_id)["cursor"] <= 2 * PAGE
            assert read.option("state") in ("armed", "probing")


def test_harness_would_notice_a_missing_probe(w: Warehouse) -> None:
    """The step that waits for a probe fails when none comes."""
    with connected(w, PAGED, heartbeat(enabled="false")) as conn:
        with run(conn, SQL) as read:
            with pytest.raises(ControlError):
                w.wait("probe", 1, operation=read.query_id, timeout=0.2)
