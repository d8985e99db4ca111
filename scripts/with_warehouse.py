#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run a command beside a local warehouse of its own.

    scripts/with_warehouse.py [--tls] COMMAND [ARGUMENT...]

The command finds the warehouse in its environment:
LAKEBEAT_TEST_URI, LAKEBEAT_TEST_TOKEN, LAKEBEAT_TEST_CONTROL, LAKEBEAT_TEST_CA_FILE (empty
without --tls), and, as `make live` wants them, DATABRICKS_SERVER_HOSTNAME, DATABRICKS_PORT,
DATABRICKS_HTTP_PATH, DATABRICKS_TOKEN and DATABRICKS_CA_FILE. `{uri}` and `{token}` in an
argument are replaced. Exits with the command's status.
"""

import json
import os
import pathlib
import select
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
START_SECONDS = 30


def environment(ready):
    env = dict(os.environ)
    env["LAKEBEAT_TEST_URI"] = ready["uri"]
    env["LAKEBEAT_TEST_TOKEN"] = ready["token"]
    env["LAKEBEAT_TEST_CONTROL"] = ready["control"]
    env["LAKEBEAT_TEST_CA_FILE"] = ready.get("ca_file") or ""
    env["DATABRICKS_SERVER_HOSTNAME"] = ready["host"]
    env["DATABRICKS_PORT"] = str(ready["port"])
    env["DATABRICKS_HTTP_PATH"] = ready["http_path"]
    env["DATABRICKS_TOKEN"] = ready["token"]
    env["DATABRICKS_CA_FILE"] = ready.get("ca_file") or ""
    return env


def main():
    command = sys.argv[1:]
    options = ["--port", "0"]
    while command and command[0] in ("--tls", "--"):
        if command.pop(0) == "--tls":
            options.append("--tls")
    if not command:
        sys.exit(__doc__)
    python = os.environ.get("LAKEBEAT_PYTHON", str(ROOT / ".venv" / "bin" / "python"))
    server = subprocess.Popen(
        [python, "-m", "warehouse", *options],
        cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        started, _, _ = select.select([server.stdout], [], [], START_SECONDS)
        if not started:
            sys.exit(f"the warehouse said nothing for {START_SECONDS} s")
        line = server.stdout.readline()
        if not line:
            sys.exit(f"the warehouse did not start; its status was {server.wait(10)}")
        ready = json.loads(line)
        command = [a.replace("{uri}", ready["uri"]).replace("{token}", ready["token"])
                   for a in command]
        status = subprocess.run(command, env=environment(ready)).returncode
    finally:
        server.terminate()
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
    # A signal that ended the command reads as a shell would say it.
    sys.exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
