#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run clang-tidy over src/, two files at a time, and remember what was clean.

    scripts/tidy.py BUILD_DIR [FILE...]

BUILD_DIR holds compile_commands.json. A file is looked at again when it, any header, the
configuration or clang-tidy itself has changed.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOOL = ROOT / ".venv" / "bin" / "clang-tidy"


def common_key():
    digest = hashlib.sha256(subprocess.run([TOOL, "--version"], capture_output=True).stdout)
    digest.update((ROOT / ".clang-tidy").read_bytes())
    for folder in ("src", "include"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".h", ".def"):
                digest.update(str(path).encode() + path.read_bytes())
    return digest.digest()


def is_ours(path):
    inside = path.is_relative_to(ROOT / "src") or path.is_relative_to(ROOT / "examples")
    return inside and not path.name.endswith("_test.c")


def run(path, build):
    return subprocess.run([TOOL, "--quiet", "-p", build, path], capture_output=True, text=True)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    build = pathlib.Path(sys.argv[1]).resolve()
    only = {pathlib.Path(name).resolve() for name in sys.argv[2:]}
    entries = json.loads((build / "compile_commands.json").read_text(encoding="utf-8"))
    seen = build / "tidy"
    seen.mkdir(exist_ok=True)
    common = common_key()
    jobs = {}
    for entry in entries:
        path = pathlib.Path(entry["directory"], entry["file"]).resolve()
        if not is_ours(path) or (only and path not in only):
            continue
        key = hashlib.sha256(common + entry["command"].encode() + path.read_bytes())
        mark = seen / key.hexdigest()
        if not mark.exists():
            jobs[path] = mark
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        running = {pool.submit(run, path, build): path for path in jobs}
        for future in concurrent.futures.as_completed(running):
            result = future.result()
            if result.returncode == 0:
                jobs[running[future]].touch()
            else:
                failed += 1
                print(result.stdout + result.stderr, end="")
    print(f"clang-tidy: {len(jobs)} files looked at, {failed} with findings")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
