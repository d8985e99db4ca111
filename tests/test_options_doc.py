# SPDX-License-Identifier: Apache-2.0
"""docs/OPTIONS.md is what the table of options says."""

import importlib.util
import pathlib

ROOT = pathlib.Path(__file__).resolve().parent.parent


def test_page_is_up_to_date():
    spec = importlib.util.spec_from_file_location("options_doc", ROOT / "scripts/options_doc.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    said = tool.PAGE.read_text(encoding="utf-8")
    assert said == tool.made(), "run scripts/options_doc.py --write"
