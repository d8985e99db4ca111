# SPDX-License-Identifier: Apache-2.0
"""Pages that are made from a table are what the table says."""

import importlib.util
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("name", ["errors_doc", "options_doc", "types_doc"])
def test_page_is_up_to_date(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    said = tool.PAGE.read_text(encoding="utf-8")
    assert said == tool.made(), f"run scripts/{name}.py --write"
