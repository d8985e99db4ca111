# SPDX-License-Identifier: Apache-2.0
"""The table of rules in docs/internals/HEARTBEAT.md is what rules and mutants say."""

import importlib.util
import pathlib

ROOT = pathlib.Path(__file__).resolve().parent.parent


def test_page_is_up_to_date():
    place = ROOT / "scripts/heartbeat_doc.py"
    spec = importlib.util.spec_from_file_location("heartbeat_doc", place)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    said = tool.PAGE.read_text(encoding="utf-8")
    assert said == tool.made(), "run scripts/heartbeat_doc.py --write"
