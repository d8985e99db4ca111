# SPDX-License-Identifier: Apache-2.0
"""The table of mutants (mutants.txt) and what it refers to."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TABLE = HERE / "mutants.txt"
RULES = ROOT / "docs" / "internals" / "heartbeat-rules.txt"
C_TEST = re.compile(r"^static void (\w+)\(void \*\*\w+\) \{", re.M)


@dataclasses.dataclass(frozen=True)
class Mutant:
    name: str
    rule: str
    finding: str  # number of the review's finding that it brings back, or "-"
    what: str
    tests: tuple[str, ...]  # each of them has to fail

    @property
    def patch(self) -> pathlib.Path:
        return HERE / f"{self.name}.patch"


def rows(path: pathlib.Path, columns: int) -> list[list]:
    """Columns divided by |, the last one a list of words that indented lines go on with."""
    found: list[list] = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line[0] == " ":
            found[-1][-1].extend(line.split())
            continue
        parts = [part.strip() for part in line.split("|")]
        assert len(parts) == columns, f"{path.name}:{number}: {columns} columns, divided by |"
        found.append([*parts[:-1], parts[-1].split()])
    return found


def mutants() -> list[Mutant]:
    return [Mutant(*row[:-1], tests=tuple(row[-1])) for row in rows(TABLE, 5)]


def tests_of_rules() -> dict[str, list[str]]:
    return {number: names for number, _, _, names in rows(RULES, 4)}


def c_programs(root: pathlib.Path = ROOT) -> dict[str, str]:
    """The program (and build target) of each C test function."""
    found = {}
    for path in sorted(root.glob("src/*/*_test.c")):
        for name in C_TEST.findall(path.read_text()):
            found[name] = f"{path.parent.name}_{path.stem}"
    return found


def plain(test: str) -> str:
    """Without the parameters that a name of a pytest may have."""
    return test.partition("[")[0]


def files_of(patch: pathlib.Path) -> list[str]:
    return re.findall(r"^\+\+\+ b/(\S+)", patch.read_text(), re.M)


def apply(patch: pathlib.Path, root: pathlib.Path, *options: str) -> subprocess.CompletedProcess:
    """`git apply` in any folder, be it in a repository or not."""
    env = {**os.environ, "GIT_CEILING_DIRECTORIES": str(root.parent)}
    if (root / ".git").exists():
        env["GIT_DIR"] = os.devnull
    return subprocess.run(
        ["git", "apply", *options, str(patch)], cwd=root, env=env, capture_output=True, text=True
    )
