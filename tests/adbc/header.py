# SPDX-License-Identifier: Apache-2.0
"""The sentences of adbc.h that ask something of somebody.

A comment (lines that begin with ///) belongs to what follows it: a function, a struct, a
member of a struct as struct.member, a macro; or to the group that it opens. What it says is
cut into sentences; a parameter, a return value and a remark under a table are sentences of
their own. A row of a table is one when it says `not null`."""

from __future__ import annotations

import dataclasses
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]

#: Words that make a sentence a demand. Generous: what asks nothing of a driver is said in the
#: table, with the reason.
DEMANDS = re.compile(
    r"\b(must|shall|should|will|may not|cannot|can't|never|always|requires?|required|iff"
    r"|if and only if|not be|do not|invalidate[sd]?|is equivalent|ignored|omitted|raised"
    r"|terminate|not supported|error if|undefined|kept alive|outlive|owned by|not null"
    r"|returns an|optional (?:location|out)|may exist|may be set before|only valid|drop the|nullable unless"
    r"|or NULL|or nullptr|NULL if|pass NULL|only show|show tables|search pattern|display all"
    r"|else -1|no data|nothing has been|not written|is called|auto-commit|in order|one of)\b"
    r"|the default\b|^return ",
    re.I,
)


@dataclasses.dataclass(frozen=True)
class Sentence:
    section: str
    text: str


def find_header() -> pathlib.Path:
    found = sorted(ROOT.glob("build/deps/*/**/arrow-adbc/adbc.h"))
    assert found, "no adbc.h under build/deps: run ./setup"
    return found[0]


def blocks(text: str) -> list[tuple[str, list[str]]]:
    """Section and lines of each comment, in order."""
    lines = text.splitlines()
    found: list[tuple[str, list[str]]] = []
    holder = ""  # the struct whose members follow
    at = 0
    while at < len(lines):
        line = lines[at].strip()
        mark = mark_of(line, holder)
        if not mark:
            if opened := re.match(r"struct (?:ADBC_EXPORT )?(\w+) \{", line):
                holder = opened[1]
            elif line == "};":
                holder = ""
            at += 1
            continue
        body = []
        while at < len(lines) and mark_of(lines[at].strip(), holder) == mark:
            body.append(lines[at].strip()[len(mark) :].removeprefix(" "))
            at += 1
        found.append((section_of(body, lines, at, holder), body))
    return found


def mark_of(line: str, holder: str) -> str:
    """What begins a comment that counts. The structs of Arrow are explained with two slashes."""
    if line.startswith("///"):
        return "///"
    return "//" if line.startswith("//") and holder == "ArrowArrayStream" else ""


def section_of(body: list[str], lines: list[str], at: int, holder: str) -> str:
    for line in body:
        if group := re.match(r"\\defgroup\s+(\S+)", line):
            return group[1]
        if line.startswith("\\file"):
            return "adbc.h"
        if line.startswith("\\addtogroup"):
            return "addtogroup"
    following = " ".join(lines[at : at + 3]).strip()
    patterns = (
        (r"#define (\w+)", "{}"),
        (r"(?:ADBC_EXPORT )?(?:const )?(?:struct )?\w+\*? (Adbc\w+)\(", "{}"),
        (r"struct (?:ADBC_EXPORT )?(\w+) \{", "{}"),
        (r"typedef \w+ \(\*(\w+)\)", "{}"),
        (r"typedef \w+ (\w+);", "{}"),
        (r"(?:const )?\w+\*? \(\*(\w+)\)\(", holder + ".{}"),
        (r"[\w *]+?(\w+)(?:\[\d+\])?;", holder + ".{}"),
        (r"#ifdef __cplusplus #define (\w+)", "{}"),
    )
    for pattern, name in patterns:
        if match := re.match(pattern, following):
            return name.format(match[1])
    return "adbc.h"


def pieces(body: list[str]) -> list[str]:
    """Paragraphs, each on one line; the rows of tables apart."""
    found: list[str] = []
    open_ = False
    for line in body:
        starts = re.match(r"\\(?!ref)\w+|- |\d\. |@[{}]", line.lstrip())
        row = re.match(r"\||\w[\w ()]*\s\|\s|-+\|", line)
        if not line.strip() or line.strip() in ("@{", "@}"):
            open_ = False
        elif row:
            found.append(line.strip())
            open_ = False
        elif starts or not open_:
            found.append(line.strip())
            open_ = True
        else:
            found[-1] += " " + line.strip()
    return [re.sub(r"\s+", " ", piece) for piece in found]


def sentences_of(piece: str) -> list[str]:
    if "|" in piece and not piece.startswith("\\"):
        return [piece.strip("| ")]
    piece = re.sub(r"^(\\brief|-) ", "", piece).replace("\\return", "return")
    # A dot that ends no sentence, or what begins a row of remarks.
    kept = re.sub(r"\b(i\.e|e\.g)\. |^\d\. ", lambda m: m[0].replace(" ", "\u00a0"), piece)
    parts = re.split(r"(?<=[.)]) +(?=[A-Z(])", kept)
    return [part.replace("\u00a0", " ") for part in parts]


def sentences() -> list[Sentence]:
    """Each demand once a section, in the order of the header."""
    found: dict[Sentence, None] = {}
    for section, body in blocks(find_header().read_text()):
        for piece in pieces(body):
            for part in sentences_of(piece):
                if DEMANDS.search(part):
                    found[Sentence(section, part)] = None
    return list(found)


if __name__ == "__main__":
    for sentence in sentences():
        print(f"{sentence.section} | {sentence.text}")
