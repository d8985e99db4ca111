# SPDX-License-Identifier: Apache-2.0
"""Every rule of check_style finds what it is for, and only that."""

import pathlib
import sys

import pytest

SCRIPTS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(SCRIPTS))
import check_style  # noqa: E402

SPDX_C = "/* SPDX-License-Identifier: Apache-2.0 */\n"


def rules(path, body, head=SPDX_C):
    return [finding.rule for finding in check_style.check_one(path, head + body)]


@pytest.mark.parametrize("path", ["src/base/x.c", "src/adbc/x.h", "tests/c/x.c"])
def test_clean_file_has_no_findings(path):
    assert rules(path, "static int one(void) {\n  return 1;\n}\n") == []


def test_missing_licence_line():
    assert rules("src/base/x.c", "int x;\n", head="") == ["spdx"]
    assert rules("setup", "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n", head="") == []


def test_tab_and_trailing_space_and_width():
    assert rules("src/base/x.c", "\tint x;\n") == ["tab"]
    assert rules("Makefile", "all:\n\ttrue\n", head="# SPDX-License-Identifier: Apache-2.0\n") == []
    assert rules("src/base/x.c", "int x; \n") == ["trailing-space"]
    assert rules("src/base/x.c", "/* " + "x" * 84 + " */\n") == []
    assert rules("src/base/x.c", "/* " + "x" * 85 + " */\n") == ["width"]


@pytest.mark.parametrize("path, include, good", [
    ("src/wire/x.c", "base/alloc.h", True),
    ("src/wire/x.c", "wire/thrift.h", True),
    ("src/base/x.c", "lakebeat/version.h", True),
    ("src/adbc/x.c", "session/session.h", True),
    ("src/base/x.c", "wire/thrift.h", False),
    ("src/io/x.c", "wire/thrift.h", False),
    ("src/wire/x.c", "io/request.h", False),
    ("src/session/x.c", "result/result.h", False),
    ("src/odbc/x.c", "adbc/database.h", False),
    ("src/session/x.c", "session.h", False),
])
def test_includes_point_down(path, include, good):
    assert rules(path, f'#include "{include}"\n') == ([] if good else ["include-direction"])


def test_unknown_room():
    assert rules("src/attic/x.c", "int x;\n") == ["include-direction"]


@pytest.mark.parametrize("call", [
    "malloc(1)", "free(p)", "strcpy(a, b)", "sprintf(a, b)", "strtok(a, b)", "atoi(a)",
    "rand()", "system(a)", "abort()", "exit(1)", "printf(a)", "fprintf(a, b)", "getenv(a)",
    "pthread_mutex_lock(m)", "assert(x)", "calloc (1, 2)", "strerror(e)",
])
def test_banned_calls(call):
    body = "static void f(void) {\n  " + call + ";\n}\n"
    assert rules("src/session/x.c", body) == ["banned-call"]
    assert rules("tests/c/x.c", body) == []


@pytest.mark.parametrize("line", [
    "lb_free(p);", "ops->free(p);", "x.exit(1);", "snprintf(a, 1, b);", "/* malloc(1) */",
    'say("free(p)");', "lb_strtok(x);", "static_assert(1, x);",
])
def test_calls_that_only_look_banned(line):
    assert rules("src/session/x.c", "static void f(void) {\n  " + line + "\n}\n") == []


def test_banned_calls_where_they_are_wrapped():
    body = "static void f(void) {\n  free(p);\n}\n"
    assert rules("src/base/alloc.c", body) == []
    assert rules("src/base/buf.c", body) == ["banned-call"]
    start = "static void f(void) {\n  pthread_create(a, b, c, d);\n}\n"
    assert rules("src/base/os_linux.c", start) == []
    assert rules("src/io/io_test.c", start) == []
    assert rules("src/io/io.c", start) == ["banned-call"]


def function(lines, head="static int f(void) {"):
    return head + "\n" + "  x();\n" * (lines - 2) + "}\n"


def test_function_size():
    assert rules("src/base/x.c", function(80)) == []
    assert rules("src/base/x.c", function(81)) == ["function-size"]
    assert rules("src/base/x.c", function(80) + function(80)) == []
    wrapped = "enum lb_status lb_x_make(int a,\n                         int b) {"
    assert rules("src/base/x.c", function(79, wrapped)) == []
    assert rules("src/base/x.c", function(80, wrapped)) == ["function-size"]
    assert rules("src/base/x.c", function(81, "struct lb_x *lb_x_new(void) {")) == ["function-size"]
    table = "static const int table[] = {\n" + "  1,\n" * 100 + "};\n"
    assert rules("src/base/x.c", table) == []
    record = "struct lb_x {\n" + "  int a;\n" * 100 + "};\n"
    assert rules("src/base/x.c", record) == []


def test_file_size():
    assert rules("src/base/x.c", "int x;\n" * 999) == []
    assert rules("src/base/x.c", "int x;\n" * 1000) == ["file-size"]


def test_words_that_stay_out():
    folder = "/" + "work/main"
    assert rules("src/base/x.c", f"/* see {folder} */\n") == ["machine-path"]
    assert rules("src/base/x.c", "/* see the_/" + "work/x */\n") == []
    assert rules("README.md", "from pypi" + ".org\n") == ["registry-host"]
    assert rules("src/base/x.c", "/* TO" + "DO: more */\n") == ["unfinished"]


def test_exceptions_file():
    limit, excused = check_style.read_exceptions("# why\nlimit 1\nsrc/a.c width\n")
    assert (limit, excused) == (1, {("src/a.c", "width")})
    with pytest.raises(ValueError):
        check_style.read_exceptions("src/a.c width\n")
    with pytest.raises(ValueError):
        check_style.read_exceptions("limit 1\nsrc/a.c\n")


def test_exceptions_only_shrink():
    text = (SCRIPTS / "style_exceptions.txt").read_text(encoding="utf-8")
    limit, excused = check_style.read_exceptions(text)
    assert len(excused) == limit
    assert limit == 0
