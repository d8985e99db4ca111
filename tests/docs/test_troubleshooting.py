# SPDX-License-Identifier: Apache-2.0
"""docs/TROUBLESHOOTING.md knows every state, reason, statistic, verdict and log line that there
is, and README leads there."""

from __future__ import annotations

import pathlib
import re
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from harness import HEARTBEAT_KEYS  # noqa: E402

PAGE = (ROOT / "docs" / "TROUBLESHOOTING.md").read_text()
HEARTBEAT = (ROOT / "src" / "result" / "heartbeat.c").read_text()
HEADER = (ROOT / "src" / "result" / "heartbeat.h").read_text()


def body(text: str, begin: str, end: str) -> str:
    return text.partition(begin)[2].partition(end)[0]


NAMES = body(HEARTBEAT, "const char *lb_hb_reason_name(", "\n}")
NEVER_ARMED = re.findall(
    r"LB_HB_(\w+)", body(HEADER, "why it is not armed", "/* why it stopped")
)  # fmt: skip
STOPPED = re.findall(r"LB_HB_(\w+)", body(HEADER, "/* why it stopped", "LB_HB_REASON_COUNT"))


def name_of(constant: str) -> str:
    return re.search(rf'\[LB_HB_{constant}\] = "(\w+)"', NAMES)[1]


def test_the_reasons_were_found() -> None:
    assert len(NEVER_ARMED) + len(STOPPED) == NAMES.count("] = \"") - 1
    assert "DISABLED" in NEVER_ARMED and "HANDLE_LOST" in STOPPED


@pytest.mark.parametrize("constant", NEVER_ARMED)
def test_each_reason_not_to_be_armed_has_its_row(constant: str) -> None:
    part = body(PAGE, "### It was never armed", "### It has stopped")
    assert re.search(rf"^\| `{name_of(constant)}` \| .+ \| .+ \|$", part, re.M)


@pytest.mark.parametrize("constant", [*STOPPED, "ALL_LOCAL"])
def test_each_reason_to_stop_has_its_row(constant: str) -> None:
    part = body(PAGE, "### It has stopped", "## Nothing of this fits")
    assert re.search(rf"^\| `{name_of(constant)}` \| .+ \| .+ \|$", part, re.M)


@pytest.mark.parametrize("key", HEARTBEAT_KEYS)
def test_each_statistic_is_explained(key: str) -> None:
    part = body(PAGE, "## 2. Read the statistics", "## 3. Read the log")
    assert re.search(rf"^\| (`\w+`, )?`{key}`", part, re.M)


def test_each_state_is_named() -> None:
    states = re.findall(r'"(\w+)"', body(HEARTBEAT, "*lb_hb_state_name(", "return"))
    assert len(states) == 4
    assert [state for state in states if f"`{state}`" not in PAGE] == []


def test_what_the_page_quotes_is_what_the_driver_says() -> None:
    """The fixed words of log lines and verdicts, wherever the source breaks them."""
    sources = "".join(p.read_text() for p in sorted((ROOT / "src" / "result").glob("*.c")))
    said = re.sub(r'"\s*(?:PRI\w+\s*)?"', "", sources)
    said = re.sub(r"%(?:[a-z]+|\")?", "…", said)
    for words in (
        "armed", "probe of query", "failed: ", "gate of ", "closed after ", "results wait; last error: ",
        "opened after ", "heartbeats to ", "are late", "its reader has been idle for ",
        "keeps no result alive on a server of kind ", "answers probes without an operation state",
        "gave up the heartbeats of ", "stopped (", "last known alive ", "the client had been idle for ",
        "heartbeats had succeeded", "it had no heartbeat, since option databricks.heartbeat.enabled is",
        "thrown the result of",
    ):  # fmt: skip
        assert words in said, f"the driver does not say: {words}"
        assert words.strip() in re.sub(r"\s+", " ", PAGE), f"the page does not quote: {words}"


def test_readme_leads_there() -> None:
    assert "docs/TROUBLESHOOTING.md" in (ROOT / "README.md").read_text()
