# SPDX-License-Identifier: Apache-2.0
"""Every sentence of adbc.h that asks something has a row in sentences.txt, every row a sentence,
every named test exists and is run, and every test of the suite is named. The counts stand at the end
of a run."""

from __future__ import annotations

import ast
import dataclasses
import fnmatch
import pathlib
import re
from collections import Counter
from collections.abc import Callable

import pytest
from header import Sentence, find_header, sentences

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TABLE = HERE / "sentences.txt"
C_TEST = re.compile(r"^static void (test_\w+)\(void\)", re.M)
C_RUN = re.compile(r"\bTEST\((test_\w+)\)")
NOT_APPLICABLE = "not applicable: "
BEYOND = "beyond"


@dataclasses.dataclass(frozen=True)
class Row:
    number: int
    section: str
    begins: str
    tests: tuple[str, ...]
    reason: str

    def covers(self, sentence: Sentence) -> bool:
        found = fnmatch.fnmatchcase(sentence.section, self.section)
        return found and (self.begins == "*" or sentence.text.startswith(self.begins))


def read_rows() -> list[Row]:
    rows = []
    for number, line in enumerate(TABLE.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        section, begins, rest = (part.strip() for part in line.split(" | ", 2))
        reason = rest.removeprefix(NOT_APPLICABLE) if rest.startswith(NOT_APPLICABLE) else ""
        tests = () if reason else tuple(rest.split())
        rows.append(Row(number, section, begins, tests, reason))
    return rows


ROWS = read_rows()
SENTENCES = sentences()


def c_tests() -> list[str]:
    return [name for path in HERE.glob("*.c") for name in C_TEST.findall(path.read_text())]


def py_tests() -> list[str]:
    found = []
    for path in sorted(HERE.glob("test_*.py")):
        if path.name == pathlib.Path(__file__).name:
            continue
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found.append(node.name)
    return found


def test_header_is_read_whole() -> None:
    """No sentence is lost when comments are cut up: every `must` and `shall` is in one."""
    marks = re.compile(r"\b(must|shall)\b", re.I)
    lines = [line.strip() for line in find_header().read_text().splitlines()]
    comments = [line for line in lines if line.startswith(("///", "//"))]
    wanted = sum(len(marks.findall(line)) for line in comments)
    from header import blocks, pieces, sentences_of  # noqa: PLC0415

    found = 0
    for _, body in blocks(find_header().read_text()):
        for piece in pieces(body):
            found += sum(len(marks.findall(text)) for text in sentences_of(piece))
    assert found == wanted
    assert len(SENTENCES) > 290


@pytest.mark.parametrize("section", sorted({s.section for s in SENTENCES}))
def test_every_sentence_has_one_row(section: str) -> None:
    for sentence in SENTENCES:
        if sentence.section == section:
            rows = [row.number for row in ROWS if row.covers(sentence)]
            assert len(rows) == 1, f"{sentence}: rows {rows}"


def test_every_row_has_a_sentence_and_tests_or_a_reason() -> None:
    for row in ROWS:
        where = f"{TABLE.name}:{row.number}"
        assert row.tests or len(row.reason) >= 10, where
        assert row.section == BEYOND or any(row.covers(s) for s in SENTENCES), where


def test_every_named_test_exists() -> None:
    known = set(c_tests()) | set(py_tests())
    for row in ROWS:
        for name in row.tests:
            assert name in known, f"{TABLE.name}:{row.number}: {name}"


def test_every_test_is_named() -> None:
    named = {name for row in ROWS for name in row.tests}
    assert sorted(set(c_tests() + py_tests()) - named) == []


def test_names_of_tests_are_unique() -> None:
    assert [name for name, count in Counter(c_tests() + py_tests()).items() if count > 1] == []


@pytest.mark.parametrize("path", sorted(HERE.glob("*.c")), ids=lambda path: path.name)
def test_every_c_test_is_run(path: pathlib.Path) -> None:
    text = path.read_text()
    assert sorted(C_TEST.findall(text)) == sorted(C_RUN.findall(text))


def test_null_errors_are_tried_with_every_function() -> None:
    """Each function of the table that takes an error is called with NULL for it."""
    table = re.search(r"struct ADBC_EXPORT AdbcDriver \{(.*?)\n\};", find_header().read_text(), re.S)
    assert table
    calls = re.findall(r"AdbcStatusCode \(\*(\w+)\)\(([^;]*)\);", table[1])
    wanted = {name for name, arguments in calls if "AdbcError*" in arguments} - {"release"}
    text = (HERE / "adbc_errors.c").read_text()
    tried = set(re.findall(r"d->(\w+)\([^;]*NULL\)\);", text))
    assert sorted(wanted - tried) == []


def test_counts(record_property: Callable[[str, object], None]) -> None:
    reasons: Counter[str] = Counter()
    for sentence in SENTENCES:
        for row in ROWS:
            if row.reason and row.covers(sentence):
                reasons[row.reason] += 1
    left_out = sum(reasons.values())
    tests = len(c_tests()) + len(py_tests())
    shown = len(SENTENCES) - left_out
    lines = [
        f"adbc.h: {len(SENTENCES)} sentences, {shown} shown by {tests} tests"
        f" ({len(c_tests())} in C), {left_out} not applicable:"
    ]
    lines += [f"  {count:3d}  {reason}" for reason, count in reasons.most_common()]
    record_property("summary", "\n".join(lines))
    assert left_out < len(SENTENCES) / 2
