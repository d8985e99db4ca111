#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make requirements*.txt (every package by version and hash) from requirements*.in,
bench/requirements.in and requirements-hive.xml.

    .venv/bin/python scripts/lock.py            all five files (Hive's needs Maven)
    .venv/bin/python scripts/lock.py --check    only say whether .txt still covers .in

Wheels are resolved by pip itself, once per interpreter and architecture, without being
downloaded; the lines of all answers are joined. To move a version: edit the .in file, run
this, run `make check`.
"""

import argparse
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
BACKEND = ROOT / "scripts" / "sdist_backend"
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
MACHINES = ["x86_64", "aarch64"]
# Debian 12 has glibc 2.36: everything built for that or older runs on what is supported.
GLIBC_MINORS = range(36, 16, -1)
HEAD = "# SPDX-License-Identifier: Apache-2.0\n# Made by scripts/lock.py from {}; do not edit.\n"


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def pip_report(arguments, env=None):
    """What pip would install, as [(name, version, sha256)]."""
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, "report.json")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run"]
        command += ["--ignore-installed", "--no-cache-dir", "--report", report]
        subprocess.run(command + arguments, check=True, cwd=folder, env=env)
        entries = json.loads(pathlib.Path(report).read_text(encoding="utf-8"))["install"]
    for entry in entries:
        meta = entry["metadata"]
        digest = entry["download_info"]["archive_info"]["hashes"]["sha256"]
        yield canonical(meta["name"]), meta["version"], digest


def lock_wheels(source, pins):
    for python in PYTHONS:
        for machine in MACHINES:
            platforms = [f"manylinux_2_{minor}_{machine}" for minor in GLIBC_MINORS]
            platforms.append(f"manylinux2014_{machine}")
            arguments = ["--only-binary", ":all:", "--python-version", python]
            arguments += ["--implementation", "cp", "--target", "unused", "-r", str(source)]
            for platform in platforms:
                arguments += ["--platform", platform]
            print(f"{source.name}: CPython {python} on {machine}", flush=True)
            for name, version, digest in pip_report(arguments):
                pins.setdefault((name, version), set()).add(digest)


def lock_archives(source, pins):
    print(f"{source.name}: source archives", flush=True)
    env = dict(os.environ, PYTHONPATH=str(BACKEND))
    arguments = ["--no-binary", ":all:", "--no-deps", "--no-build-isolation", "--use-pep517"]
    for name, version, digest in pip_report(arguments + ["-r", str(source)], env):
        pins.setdefault((name, version), set()).add(digest)


def write(target, source, pins):
    versions = {}
    for name, version in pins:
        if versions.setdefault(name, version) != version:
            sys.exit(f"{name} resolves to {versions[name]} and {version}: pin it in {source}")
    lines = [HEAD.format(source.name)]
    for (name, version), digests in sorted(pins.items()):
        hashes = " \\\n".join(f"    --hash=sha256:{digest}" for digest in sorted(digests))
        lines.append(f"{name}=={version} \\\n{hashes}\n")
    target.write_text("".join(lines), encoding="utf-8")


def pinned(path):
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^ \n]+)", path.read_text(encoding="utf-8"), re.M)
    return {(canonical(name), version) for name, version in found}


def lock_jars(source, target):
    print(f"{source.name}: jars", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        jars = pathlib.Path(folder, "jars")
        subprocess.run([ROOT / "scripts" / "fetch_jars.sh", source, jars], check=True)
        lines = [HEAD.format(source.name)]
        for jar in sorted(jars.iterdir()):
            lines.append(f"{hashlib.sha256(jar.read_bytes()).hexdigest()}  {jar.name}\n")
    target.write_text("".join(lines), encoding="utf-8")


def jars_named(source):
    """The jars that the .xml file itself asks for."""
    pom = {"": "http://maven.apache.org/POM/4.0.0"}
    root = xml.etree.ElementTree.parse(source).getroot()
    for found in root.iterfind("dependencies/dependency", pom):
        version = found.findtext("version", "", pom)
        prop = re.fullmatch(r"\$\{(.+)\}", version)
        if prop:
            version = root.findtext(f"properties/{prop[1]}", "", pom)
        yield f"{found.findtext('artifactId', '', pom)}-{version}.jar"


def jars_locked(target):
    return set(re.findall(r"^[0-9a-f]{64}  (.+)$", target.read_text(encoding="utf-8"), re.M))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare only, change nothing")
    args = parser.parse_args()
    makers = {
        "requirements": lock_wheels,
        "requirements-src": lock_archives,
        "requirements-engines": lock_archives,
        "bench/requirements": lock_wheels,
    }
    stale = []
    for stem, make in makers.items():
        source, target = ROOT / f"{stem}.in", ROOT / f"{stem}.txt"
        if args.check:
            if not target.exists() or not pinned(source) <= pinned(target):
                stale.append(str(target.relative_to(ROOT)))
            continue
        pins = {}
        make(source, pins)
        write(target, source, pins)
    source, target = ROOT / "requirements-hive.xml", ROOT / "requirements-hive.txt"
    if not args.check:
        lock_jars(source, target)
    elif not target.exists() or not set(jars_named(source)) <= jars_locked(target):
        stale.append(target.name)
    if stale:
        sys.exit("not made from its source: " + ", ".join(stale) + "; run scripts/lock.py")


if __name__ == "__main__":
    main()
