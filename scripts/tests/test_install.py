# SPDX-License-Identifier: Apache-2.0
"""`make install` and `make uninstall`: what is put where, that a driver manager then finds
the driver by its name, and that nothing is left behind."""

import os
import pathlib
import subprocess
import sys
import tomllib

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("LAKEBEAT_BUILD_DIR", ROOT / "build" / "release"))
LIBRARY = "libadbc_driver_lakebeat.so"

# In a process of its own: the environment decides where the driver manager looks.
FIND = """
import sys
import adbc_driver_manager
uri = "http://127.0.0.1:9/sql/1.0/warehouses/none"
with adbc_driver_manager.AdbcDatabase(driver=sys.argv[1], uri=uri):
    print("found")
"""


def files_below(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir())


def run(action, home, **variables):
    env = {k: v for k, v in os.environ.items()
           if k not in ("PREFIX", "DESTDIR", "ALIAS", "XDG_CONFIG_HOME")}
    env.update(HOME=str(home), LAKEBEAT_BUILD_DIR=str(BUILD), **variables)
    return subprocess.run([ROOT / "scripts" / "install.sh", action], env=env,
                          capture_output=True, text=True)


def find_driver(name, **variables):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("ADBC_", "XDG_"))}
    env.update(variables)
    return subprocess.run([sys.executable, "-c", FIND, name], env=env,
                          capture_output=True, text=True)


def manifest_library(path):
    manifest = tomllib.loads(path.read_text(encoding="utf-8"))
    version = (ROOT / "VERSION").read_text(encoding="utf-8").strip()
    assert manifest["name"] == "lakebeat"
    assert manifest["version"] == version
    assert manifest["Driver"]["entrypoint"] == "AdbcDriverLakebeatInit"
    (library,) = manifest["Driver"]["shared"].values()
    return library


def test_per_user(tmp_path):
    home = tmp_path / "home"
    prefix = str(home / ".local")
    done = run("install", home, PREFIX=prefix)
    assert done.returncode == 0, done.stderr
    manifest = home / ".config" / "adbc" / "drivers" / "lakebeat.toml"
    assert files_below(home) == [".config/adbc/drivers/lakebeat.toml", f".local/lib/{LIBRARY}"]
    assert manifest_library(manifest) == f"{prefix}/lib/{LIBRARY}"
    found = find_driver("lakebeat", HOME=str(home))
    assert found.stdout == "found\n", found.stderr
    assert run("uninstall", home, PREFIX=prefix).returncode == 0
    assert files_below(home) == []
    lost = find_driver("lakebeat", HOME=str(home), ADBC_DRIVER_PATH=str(tmp_path))
    assert lost.returncode != 0


def test_prefix_and_alias(tmp_path):
    prefix = tmp_path / "prefix"
    done = run("install", tmp_path, PREFIX=str(prefix), ALIAS="databricks")
    assert done.returncode == 0, done.stderr
    assert files_below(prefix) == [
        "etc/adbc/drivers/databricks.toml",
        "etc/adbc/drivers/lakebeat.toml",
        f"lib/{LIBRARY}",
    ]
    for name in ("lakebeat", "databricks"):
        found = find_driver(name, HOME=str(tmp_path),
                            ADBC_DRIVER_PATH=str(prefix / "etc" / "adbc" / "drivers"))
        assert found.stdout == "found\n", found.stderr
    assert run("uninstall", tmp_path, PREFIX=str(prefix), ALIAS="databricks").returncode == 0
    assert files_below(prefix) == []


@pytest.mark.parametrize("action", ["install", "uninstall"])
def test_manifest_of_another_driver_is_left_alone(tmp_path, action):
    manifest = tmp_path / "etc" / "adbc" / "drivers" / "databricks.toml"
    manifest.parent.mkdir(parents=True)
    manifest.write_text('name = "Databricks"\n', encoding="utf-8")
    done = run(action, tmp_path, PREFIX=str(tmp_path), ALIAS="databricks")
    assert done.returncode != 0
    assert "belongs to another driver" in done.stderr
    assert files_below(tmp_path) == ["etc/adbc/drivers/databricks.toml"]
    assert manifest.read_text(encoding="utf-8") == 'name = "Databricks"\n'


def test_destdir_stages_for_the_whole_machine(tmp_path):
    stage = tmp_path / "stage"
    done = run("install", tmp_path, DESTDIR=str(stage))
    assert done.returncode == 0, done.stderr
    assert files_below(stage) == ["etc/adbc/drivers/lakebeat.toml", f"usr/local/lib/{LIBRARY}"]
    library = manifest_library(stage / "etc" / "adbc" / "drivers" / "lakebeat.toml")
    assert library == f"/usr/local/lib/{LIBRARY}"
    assert run("uninstall", tmp_path, DESTDIR=str(stage)).returncode == 0
    assert files_below(stage) == []


@pytest.mark.parametrize("variables, remedy", [
    ({"PREFIX": "relative"}, "absolute path"),
    ({"PREFIX": "/nowhere", "ALIAS": "../x"}, "bare name"),
    ({"PREFIX": "/nowhere", "ALIAS": "profile"}, "bare name"),
    ({"PREFIX": "/nowhere", "LAKEBEAT_BUILD_DIR": "/nowhere"}, "run make first"),
])
def test_wrong_variables_are_named(tmp_path, variables, remedy):
    env = dict(os.environ, HOME=str(tmp_path), **variables)
    done = subprocess.run([ROOT / "scripts" / "install.sh", "install"], env=env,
                          capture_output=True, text=True)
    assert done.returncode != 0
    assert remedy in done.stderr
