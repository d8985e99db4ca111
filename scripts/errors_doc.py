#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/ERRORS.md, made from the tables of errors.

    scripts/errors_doc.py [--write]     prints it, or writes the file
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import options_doc  # noqa: E402

PAGE = options_doc.ROOT / "docs" / "ERRORS.md"


def made() -> str:
    return options_doc.printed("tests/tools/dump_errors.c")


if __name__ == "__main__":
    options_doc.write_or_print(PAGE, made())
