# SPDX-License-Identifier: Apache-2.0
"""Links of the documentation: what they point to is there, and every internal page is pointed
to; and rules that the source cites by number are rules of the page that has them."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FOREIGN = {".git", ".venv", "build", ".pytest_cache", "node_modules"}
LINK = re.compile(r"\[[^\]]*\]\(([^()\s]+)\)")
FENCE = re.compile(r"^( *)(```|~~~).*?^\1\2 *$", re.MULTILINE | re.DOTALL)
RULES = re.compile(r"\brules? (\d\.\d+(?:(?:, | and )\d\.\d+)*)")


def pages():
    found = []
    for path in ROOT.rglob("*.md"):
        if not FOREIGN & set(path.relative_to(ROOT).parts):
            found.append(path)
    return sorted(found)


def text_of(page):
    """Without code, where brackets are no links."""
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text(encoding="utf-8")))


def links_of(page):
    return [link for link in LINK.findall(text_of(page)) if "://" not in link]


def anchors_of(page):
    """As the usual renderers name headings."""
    names = re.findall(r"^#+ +(.*)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", name.lower()).strip().replace(" ", "-") for name in names}


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_resolve(page):
    broken = []
    for link in links_of(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or ROOT not in (target, *target.parents):
            broken.append(link)
        elif anchor and target.suffix == ".md" and anchor not in anchors_of(target):
            broken.append(f"{link} (no such heading)")
    assert not broken


def test_every_internal_page_is_linked():
    linked = set()
    for page in pages():
        for link in links_of(page):
            target = (page.parent / link.partition("#")[0]).resolve()
            if target != page:
                linked.add(target)
    internals = set((ROOT / "docs" / "internals").iterdir())
    assert internals, "docs/internals is empty"
    assert sorted(str(path.name) for path in internals - linked) == []


def test_rules_cited_in_the_source_exist():
    page = (ROOT / "docs" / "internals" / "HEARTBEAT.md").read_text(encoding="utf-8")
    known = set(re.findall(r"^(\d\.\d+) ", page, re.MULTILINE))
    cited = {}
    for folder in ("src", "tests", "warehouse"):
        for path in (ROOT / folder).rglob("*.[chp]*"):
            if path.suffix not in (".c", ".h", ".py"):
                continue
            for numbers in RULES.findall(path.read_text(encoding="utf-8")):
                for number in re.findall(r"\d\.\d+", numbers):
                    cited.setdefault(number, path.relative_to(ROOT))
    assert len(cited) >= 10, "the source cites its rules as `rule 3.4`"
    assert {n: str(path) for n, path in cited.items() if n not in known} == {}
