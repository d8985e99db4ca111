# SPDX-License-Identifier: Apache-2.0
"""docs/WAREHOUSE.md says what is so: options, endpoints, faults, settings, examples."""

import json
import pathlib
import re
import shlex

import pytest

from warehouse.server.control import WAIT_KINDS
from warehouse.server.kinds import KINDS
from warehouse.server.options import (
    CHANGEABLE,
    UNKNOWN_HANDLE_STYLES,
    Options,
    parse,
    parser,
)
from warehouse.testing import Control, Warehouse
from warehouse.tests.thrift_client import Client, ident

TEXT = (pathlib.Path(__file__).parents[2] / "docs" / "WAREHOUSE.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.S)


def examples() -> list[str]:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith("curl ")]


@pytest.fixture(scope="module")
def w():
    with Warehouse(no_samples=True) as warehouse:
        yield warehouse


def test_every_option_is_described_and_no_other():
    real = {flag for action in parser()._actions for flag in action.option_strings}
    described = set(re.findall(r"`(--[a-z-]+)", TEXT))
    assert real - {"-h", "--help"} == described


def test_defaults_are_the_ones_described():
    found = parse(["--token", "x"])
    assert found == Options(token="x")
    rows = dict(re.findall(r"^\| `--([a-z-]+)[^`]*` \| ([^ |]+)", TEXT, re.M))
    for name in (
        "port",
        "control-port",
        "host",
        "personality",
        "protocol-cap",
        "idle-operation-seconds",
        "idle-session-seconds",
        "sweep-seconds",
        "direct-wait-ms",
        "unknown-handle",
        "keep-alive-seconds",
        "log",
    ):
        value = getattr(found, name.replace("-", "_"))
        shown = str(int(value)) if isinstance(value, float) else str(value)
        assert rows[name] == shown, name


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_fault_is_described_with_its_parameters(kind):
    (row,) = re.findall(rf"^\| `{kind}` \| (.*?) \|", TEXT, re.M)
    described = dict(re.findall(r"`(\w+)`(?: (\w+))?", row))
    assert set(described) == set(KINDS[kind].parameters)
    for name, value in KINDS[kind].parameters.items():
        if described[name]:
            assert described[name] == (
                value if isinstance(value, str) else json.dumps(value)
            )


def test_every_endpoint_setting_and_wait_is_described(w):
    from warehouse.server.control import Control as Port

    routes = {f"{method} /{path}" for method, path in Port(None).routes}
    described = set(re.findall(r"`((?:GET|POST|DELETE) /[a-z/]+[a-z])`", TEXT))
    assert routes == described - {"GET /faults/kinds"}
    assert all(f"`{name}`" in TEXT for name in (*CHANGEABLE, *UNKNOWN_HANDLE_STYLES))
    assert all(f"`{name}`" in TEXT for name in WAIT_KINDS)


def test_the_announcement_has_the_keys_described(w):
    assert list(json.loads(blocks("json")[0])) == list(w.info)


@pytest.mark.parametrize("line", examples())
def test_examples(w, line):
    w.clear_faults()
    c = Client(w)
    c.open()
    handle = c.run("SELECT 1")
    c.fetch(handle, 0)
    line = line.replace("$CONTROL", w.control).replace("'$OPERATION'", ident(handle))
    words = shlex.split(line.replace("$OPERATION", ident(handle)))[1:]
    method, body, url = "GET", None, None
    while words:
        word = words.pop(0)
        if word == "-X":
            method = words.pop(0)
        elif word == "-d":
            body = json.loads(words.pop(0))
        else:
            url = word
    assert Control(w.control).call(method, url.removeprefix(w.control), body)


def test_the_python_examples_run(w, monkeypatch):
    connector, testing = blocks("python")
    names = {"http_path": w.http_path, "token": w.token, "uri": w.uri}
    exec(connector, names)
    with names["connection"] as connection, connection.cursor() as cursor:
        assert cursor.execute("SELECT 1").fetchall() == [(1,)]
    exec(testing, {})


def test_methods_named_exist():
    listed = re.search(
        r"`w` has a method for each\nendpoint: (.*?)\. Besides", TEXT, re.S
    )
    for name in re.findall(r"`(\w+)`", listed.group(1)):
        assert callable(getattr(Control, name))
    for name in ("freeze", "thaw", "kill", "stop", "stderr"):
        assert hasattr(Warehouse, name) and f"`{name}`" in TEXT
