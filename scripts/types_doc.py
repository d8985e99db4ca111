#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/TYPES.md, made from the table of SQL types.

    scripts/types_doc.py [--write]     prints it, or writes the file
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from options_doc import ROOT, printed, write_or_print  # noqa: E402

PAGE = ROOT / "docs" / "TYPES.md"


def made() -> str:
    return printed("tests/tools/dump_types.c")


if __name__ == "__main__":
    write_or_print(PAGE, made())
