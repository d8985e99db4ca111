# SPDX-License-Identifier: Apache-2.0
"""README.md's code blocks, run as they stand.

A comment in front of each block says how, and a block without one fails the suite:

  <!-- run: python -->     pasted into an interactive Python, one block after the other
  <!-- run: file NAME -->  written to NAME in a folder that looks like the repository
  <!-- run: shell -->      run there by bash, with URI and TOKEN of a local warehouse set
  <!-- run: make -n -->    each line is a make target, which make resolves without running it:
                           `make demo` takes long and has a test of its own, `make install`
                           changes the machine and is run by scripts/tests/test_install.py
"""

import os
import pathlib
import re
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from warehouse.testing import Warehouse  # noqa: E402

README = (ROOT / "README.md").read_text(encoding="utf-8")
DRIVER = pathlib.Path(
    os.environ.get("LAKEBEAT_DRIVER", ROOT / "build/release/libadbc_driver_lakebeat.so")
)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = re.compile(r"<!-- run: (.*?) -->\n$")
HOW = re.compile(r"python|shell|make -n|file [\w.]+")
TIMEOUT_SECONDS = 120


@dataclass
class Block:
    line: int
    language: str
    how: str
    code: str


def blocks():
    found = []
    for fence in FENCE.finditer(README):
        mark = MARK.search(README[: fence.start()])
        found.append(
            Block(
                line=README.count("\n", 0, fence.start()) + 1,
                language=fence[1],
                how=mark[1] if mark else "",
                code=fence[2],
            )
        )
    return found


def those(how):
    return [block for block in blocks() if block.how.split()[:1] == how.split()[:1]]


@pytest.fixture(scope="module")
def w():
    with Warehouse() as warehouse:
        yield warehouse


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """As after `make install`, in a place of its own."""
    prefix = tmp_path_factory.mktemp("installed")
    build = {"LAKEBEAT_BUILD_DIR": str(DRIVER.parent), "PREFIX": str(prefix)}
    without = {"DESTDIR", "ALIAS", "MAKEFLAGS", "MAKELEVEL", "LAKEBEAT_HEARTBEAT"}
    env = {key: value for key, value in os.environ.items() if key not in without}
    subprocess.run([ROOT / "scripts/install.sh", "install"], env=env | build, check=True)
    return env | {"ADBC_DRIVER_PATH": str(prefix / "etc/adbc/drivers")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Everything of the repository, and room for files of one's own."""
    made = tmp_path_factory.mktemp("repository")
    for entry in ROOT.iterdir():
        (made / entry.name).symlink_to(entry)
    return made


def test_every_block_says_how_it_is_run():
    assert README.count("\n```") == 2 * len(blocks()), "a fence is not closed, or is indented"
    assert "~~~" not in README and "<pre" not in README
    wrong = [block.line for block in blocks() if not HOW.fullmatch(block.how)]
    assert wrong == [], "these lines begin a block without a mark"
    assert len(blocks()) >= 5


@pytest.mark.parametrize("block", those("make"), ids=lambda block: f"line {block.line}")
def test_make_targets(block, environment):
    for line in block.code.splitlines():
        command = shlex.split(line)
        assert command[0] == "make", line
        done = subprocess.run(
            ["make", "-n", *command[1:]], cwd=ROOT, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr


def test_python_blocks_pasted(environment):
    pasted = "\n".join(block.code for block in those("python"))
    done = subprocess.run(
        [ROOT / ".venv/bin/python", "-i", "-q"], input=pasted, cwd=ROOT, env=environment,
        capture_output=True, text=True, timeout=TIMEOUT_SECONDS,
    )  # fmt: skip
    assert "Error" not in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert done.returncode == 0, done.stderr
    parts = (
        "pickup_zip: int32", "\n60175\nstopped\n",
        "shape: (21_932, 2)", "[21932 rows x 2 columns]",
    )  # fmt: skip
    for part in parts:
        assert part in done.stdout, f"{part!r} is not in {done.stdout}"
    assert re.search(r"^\[\(\d+\.\d+,\)\]$", done.stdout, re.MULTILINE), "DuckDB's average"


def test_files_and_shell_blocks(environment, folder, w):
    for block in those("file"):
        (folder / block.how.split()[1]).write_text(block.code, encoding="utf-8")
    assert those("shell")
    for block in those("shell"):
        done = subprocess.run(
            ["bash", "-eu", "-c", block.code], cwd=folder,
            env=environment | {"URI": w.uri, "TOKEN": w.token},
            capture_output=True, text=True, timeout=TIMEOUT_SECONDS,
        )  # fmt: skip
        assert done.returncode == 0, f"line {block.line}: {done.stderr}"
        assert done.stderr == ""
        assert done.stdout == "10 rows\n"


def test_cost_of_a_heartbeat_is_what_is_said(w):
    """The bytes per heartbeat that the README states are those of the local warehouse."""
    import adbc_driver_manager.dbapi as adbc

    said = re.search(r"\| ([\d,]+) a heartbeat, ([\d,]+) KB a day \|", README)
    assert said, "the README states no bytes"
    options = {
        "uri": w.uri, "databricks.access_token": w.token,
        "databricks.max_rows_per_fetch": "5000", "databricks.heartbeat.interval_seconds": "1",
    }  # fmt: skip
    with adbc.connect(
        driver=str(DRIVER), db_kwargs=options, autocommit=True
    ) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id FROM range(50000)")
        cursor.fetchone()
        query_id = cursor.adbc_statement.get_option("databricks.query_id")
        w.wait("probe", 2, operation=query_id)
        statement = cursor.adbc_statement
        while statement.get_option_int("databricks.heartbeat.probes_succeeded") < 2:
            time.sleep(0.01)  # the warehouse has answered, the driver is about to know
        # Read between two probes, which are a second apart.
        total = statement.get_option_int("databricks.heartbeat.bytes")
        probes = statement.get_option_int("databricks.heartbeat.probes_succeeded")
    each = total / probes
    assert int(said[1].replace(",", "")) == pytest.approx(each, abs=10)
    assert int(said[2].replace(",", "")) == pytest.approx(each * 1440 / 1000, rel=0.05)
