# SPDX-License-Identifier: Apache-2.0
"""Every rule of the heartbeat has a test, and every test of a rule is in the table.

The rules are the numbered ones of docs/internals/HEARTBEAT.md, and n.0 for what a section says
in a table or a picture. The table is docs/internals/heartbeat-rules.txt, one rule a line:

    number | what it asks for | file:name of the code ... | test ...
        test ...

(further tests in indented lines). A test is that of a C test function (in src/*/*_test.c), or file::function of a pytest. That a
test fails when its rule is broken cannot be seen from here; that it exists can."""

from __future__ import annotations

import ast
import pathlib
import re
from collections import Counter

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "internals" / "HEARTBEAT.md"
TABLE = ROOT / "docs" / "internals" / "heartbeat-rules.txt"

# What servers keep and for how long; who gets a heartbeat; the states; the answers.
TABLES_OF_SECTIONS = {"1.0", "2.0", "3.0", "4.0"}
C_TEST = re.compile(r"^static void (\w+)\(void \*\*\w+\) \{", re.M)
C_RUN = re.compile(r"\bLB_TEST\((\w+)\)")
RULE_NAME = re.compile(r"^(?:test_)?rule_(\d+)_(\d+)_")


def by_number(number: str) -> tuple[int, int]:
    section, rule = number.split(".")
    return int(section), int(rule)


def rules_of_the_page() -> set[str]:
    text = PAGE.read_text()
    assert re.search(r"^## 8\.", text, re.M), f"{PAGE.name} has no section 8"
    return set(re.findall(r"^(\d+\.\d+) ", text, re.M)) | TABLES_OF_SECTIONS


def rows_of_the_table() -> list[tuple[str, str, list[str]]]:
    return [(number, what, names) for number, what, _, names in whole_rows()]


def whole_rows() -> list[tuple[str, str, list[str], list[str]]]:
    rows: list[tuple[str, str, list[str], list[str]]] = []
    for number, line in enumerate(TABLE.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line[0] == " ":
            rows[-1][3].extend(line.split())
            continue
        parts = [part.strip() for part in line.split("|")]
        assert len(parts) == 4, f"{TABLE.name}:{number}: four columns, divided by |"
        rows.append((parts[0], parts[1], parts[2].split(), parts[3].split()))
    return rows


def c_tests() -> dict[str, str]:
    """Name of each C test function that its program runs, and its file."""
    tests: dict[str, str] = {}
    for path in sorted(ROOT.glob("src/*/*_test.c")):
        text = path.read_text()
        run = set(C_RUN.findall(text))
        for name in C_TEST.findall(text):
            if name in run:
                tests[name] = path.name
    return tests


def c_rule_functions() -> set[str]:
    found = set()
    for path in ROOT.glob("src/*/*_test.c"):
        found |= {name for name in C_TEST.findall(path.read_text()) if RULE_NAME.match(name)}
    return found


def py_tests() -> set[str]:
    """file::function, without parameters; methods of test classes too."""
    tests = set()
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                if node.name.startswith("test_"):
                    tests.add(f"{path.relative_to(ROOT)}::{node.name}")
    return tests


def listed() -> list[str]:
    return [name for _, _, names in rows_of_the_table() for name in names]


def test_every_rule_has_a_line_and_a_test() -> None:
    assert [number for number, what, names in rows_of_the_table() if not what or not names] == []


def test_table_has_each_rule_once_and_in_order() -> None:
    numbers = [number for number, _, _ in rows_of_the_table()]
    assert [n for n, count in Counter(numbers).items() if count > 1] == []
    assert numbers == sorted(numbers, key=by_number)


def test_every_rule_is_in_the_table() -> None:
    numbers = {number for number, _, _ in rows_of_the_table()}
    assert sorted(rules_of_the_page() - numbers, key=by_number) == []
    assert sorted(numbers - rules_of_the_page(), key=by_number) == []


def test_the_code_of_every_rule_is_where_the_table_says() -> None:
    files = {path.name: path for path in sorted(ROOT.glob("src/*/*")) if path.is_file()}
    wrong = []
    for number, _, code, _ in whole_rows():
        for place in code or [""]:
            file, _, name = place.partition(":")
            text = files[file].read_text() if file in files else ""
            if not name or not re.search(rf"\b{re.escape(name)}\b", text):
                wrong.append(f"{number}: {place or 'no code'}")
    assert wrong == []


def test_the_code_cites_only_rules_there_are() -> None:
    known = {number for number, _, _ in rows_of_the_table()}
    cited = re.compile(r"[Rr]ules? (\d+\.\d+)((?:, | and )\d+\.\d+)*")
    wrong = []
    for path in sorted(ROOT.glob("src/*/*.[ch]")):
        for match in cited.finditer(path.read_text()):
            unknown = set(re.findall(r"\d+\.\d+", match[0])) - known
            wrong += [f"{path.name}: rule {number}" for number in sorted(unknown)]
    assert wrong == []


def test_every_named_test_exists() -> None:
    known = set(c_tests()) | py_tests()
    assert [name for name in listed() if name not in known] == []


def test_every_test_of_a_rule_is_in_the_table() -> None:
    names = c_rule_functions()
    names |= {name for name in py_tests() if RULE_NAME.match(name.partition("::")[2])}
    assert sorted(names - set(listed())) == []


def test_every_test_of_a_rule_is_run() -> None:
    assert sorted(c_rule_functions() - set(c_tests())) == []


@pytest.mark.parametrize("row", rows_of_the_table(), ids=lambda row: row[0])
def test_names_tell_their_rule(row: tuple[str, str, list[str]]) -> None:
    """A name with another rule's number in it is in the wrong line."""
    number, _, names = row
    for name in names:
        told = RULE_NAME.match(name.rpartition("::")[2])
        if told is None or f"{told[1]}.{told[2]}" not in rules_of_the_page():
            continue
        assert f"{told[1]}.{told[2]}" == number, name
