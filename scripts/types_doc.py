#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/TYPES.md, made from the table of SQL types.

    scripts/types_doc.py [--write]     prints it, or writes the file
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from options_doc import ROOT, printed  # noqa: E402

PAGE = ROOT / "docs" / "TYPES.md"


def made() -> str:
    return printed("tests/tools/dump_types.c")


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(made(), encoding="utf-8")
    else:
        print(made(), end="")
