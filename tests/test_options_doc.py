# SPDX-License-Identifier: Apache-2.0
"""docs/OPTIONS.md and docs/TYPES.md are what their tables say."""

import importlib.util
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("name", ["options_doc", "types_doc"])
def test_page_is_up_to_date(name: str) -> None:
    spec = importlib.util.spec_from_file_location(name, ROOT / f"scripts/{name}.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    said = tool.PAGE.read_text(encoding="utf-8")
    assert said == tool.made(), f"run scripts/{name}.py --write"
