#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/OPTIONS.md, made from the table of options.

    scripts/options_doc.py [--write]     prints it, or writes the file
"""

import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "OPTIONS.md"


def printed(source: str) -> str:
    """What a program of one file says."""
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder) / "dump"
        compiler = [os.environ.get("CC", "cc"), "-std=c17", "-Isrc", "-o", str(program)]
        subprocess.run([*compiler, source], cwd=ROOT, check=True)
        run = subprocess.run([program], check=True, capture_output=True, text=True)
        return run.stdout


def made() -> str:
    return printed("tests/tools/dump_options.c")


def write_or_print(page: pathlib.Path, text: str) -> None:
    if sys.argv[1:] == ["--write"]:
        page.write_text(text, encoding="utf-8")
    else:
        print(text, end="")


if __name__ == "__main__":
    write_or_print(PAGE, made())
