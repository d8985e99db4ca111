#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The table of rules at the foot of docs/internals/HEARTBEAT.md, made from heartbeat-rules.txt
and tests/mutants/mutants.txt.

    scripts/heartbeat_doc.py [--write]     prints the page with it, or writes the file
"""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "mutants"))

import table  # noqa: E402

PAGE = ROOT / "docs" / "internals" / "HEARTBEAT.md"
HEAD = "## Rule, code, tests, mutants\n"
TEXT = """
Made by `scripts/heartbeat_doc.py` from [heartbeat-rules.txt](heartbeat-rules.txt), which names
every test, and [mutants.txt](../../tests/mutants/mutants.txt), which says what each mutant breaks and
which tests have to notice; `make check` compares all of them with the code, both ways.

| rule | asks for | code | tests | mutants |
|---|---|---|---|---|
"""


def places(names: list[str]) -> str:
    """How many tests there are, and where."""
    programs = table.c_programs()
    files: list[str] = []
    for name in names:
        path = table.plain(name).partition("::")[0] if "::" in name else programs[name]
        file = path.rpartition("/")[2] if "::" in name else path.partition("_")[2] + ".c"
        if file not in files:
            files.append(file)
    return f"{len(names)}: " + ", ".join(f"`{file}`" for file in files)


def code_of(words: str) -> str:
    found: dict[str, list[str]] = {}
    for place in words.split():
        file, _, name = place.partition(":")
        found.setdefault(file, []).append(name)
    return ", ".join(f"`{file}` {', '.join(names)}" for file, names in found.items())


def made() -> str:
    page = PAGE.read_text(encoding="utf-8")
    lines = []
    for number, what, code, names in table.rows(table.RULES, 4):
        mutants = [m.name.partition("-")[2] for m in table.mutants() if m.rule == number]
        cells = [number, what, code_of(code), places(names), ", ".join(mutants)]
        lines.append("| " + " | ".join(cells) + " |")
    return page.partition(HEAD)[0] + HEAD + TEXT + "\n".join(lines) + "\n"


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(made(), encoding="utf-8")
    else:
        print(made(), end="")
