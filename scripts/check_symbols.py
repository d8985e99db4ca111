#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the built library shows to the process that loads it.

    scripts/check_symbols.py BUILD_DIR

The driver exports its two init functions and nothing else, needs no library beyond the
allowed ones, is never unloaded, has no writable code, no run path and no path of the machine
that built it. In the static library every global symbol carries the project's prefix.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXPORTS = {"AdbcDriverInit", "AdbcDriverLakebeatInit"}
NEEDED = re.compile(r"lib(curl|lz4|zstd|crypto|c|m)\.so\.\d+$|ld-linux[\w-]*\.so\.\d+$")
PREFIX = re.compile(r"lb_|AdbcDriver(Lakebeat)?Init$")


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def defined(path, *options):
    """Names of global symbols that are defined in a library."""
    for line in output("nm", "--defined-only", "--extern-only", *options, path).splitlines():
        fields = line.split()
        if len(fields) == 3:
            yield fields[2].split("@")[0]


def check_driver(path):
    exports = set(defined(path, "-D"))
    for name in sorted(exports - EXPORTS):
        yield f"exports {name}"
    for name in sorted(EXPORTS - exports):
        yield f"does not export {name}"
    dynamic = output("readelf", "-Wd", path)
    for name in re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic):
        if not NEEDED.match(name):
            yield f"needs {name}, which is not on the list of allowed libraries"
    for flag in ("NODELETE", "NOW"):
        if not re.search(rf"\(FLAGS_1\).*\b{flag}\b", dynamic):
            yield f"was not linked with -z {flag.lower()}"
    for tag in ("RPATH", "RUNPATH", "TEXTREL"):
        if f"({tag})" in dynamic:
            yield f"has a {tag} entry"
    if re.search(r"GNU_STACK.*\bRWE\b", output("readelf", "-Wl", path)):
        yield "asks for an executable stack"
    if str(ROOT).encode() + b"/" in path.read_bytes():
        yield f"holds the path of the checkout, {ROOT}"


def check_core(path):
    for name in sorted(set(defined(path))):
        if not PREFIX.match(name):
            yield f"global symbol {name} has no lb_ prefix: rename it or make it static"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    build = pathlib.Path(sys.argv[1]).resolve()
    found = []
    for name, check in (
        ("libadbc_driver_lakebeat.so", check_driver),
        ("liblakebeat_core.a", check_core),
    ):
        if not (build / name).exists():
            sys.exit(f"check_symbols: {build / name} is not there: build it first")
        found += [f"{name}: {text}" for text in check(build / name)]
    print("\n".join(found) if found else "check_symbols: no findings")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
