# SPDX-License-Identifier: Apache-2.0
"""A warehouse for tests: started as a process of its own, driven through its control
port.

    with Warehouse(idle_operation_seconds=1200) as w:
        run_my_driver(w.uri, w.token)
        w.advance("25m")
        assert w.stats()["evictions"] == 1

Every keyword becomes an option of ``python -m warehouse`` (``no_samples=True`` becomes
``--no-samples``).  The process stops with the ``with`` block, and with its parent.
"""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

START_SECONDS = 30.0
STOP_SECONDS = 5.0


class ControlError(Exception):
    """The control port refused; ``status`` and ``body`` say why."""

    def __init__(self, status: int, body: dict):
        super().__init__(f"{status}: {body.get('error', body)}")
        self.status = status
        self.body = body


class Control:
    """The control port as methods."""

    def __init__(self, url: str):
        self.url = url
        # A proxy in the environment must never see loopback traffic.
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open

    def call(
        self, method: str, path: str, body: dict | None = None, timeout: float = 60
    ) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        try:
            with self._open(request, timeout=timeout) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise ControlError(error.code, json.load(error)) from None

    def stats(self) -> dict:
        return self.call("GET", "/stats")

    def operations(self, *, open_only: bool = False) -> list[dict]:
        path = "/operations?open=1" if open_only else "/operations"
        return self.call("GET", path)["operations"]

    def operation(self, ident: str) -> dict:
        return self.call("GET", f"/operations/{ident}")

    def sessions(self) -> list[dict]:
        return self.call("GET", "/sessions")["sessions"]

    def expire_sessions(self, ident: str | None = None) -> int:
        """Forget a session (default: all) with its operations; returns how many."""
        path = f"/sessions/{ident}" if ident else "/sessions"
        return self.call("DELETE", path)["expired"]

    def set_progress(self, operation: str, percent: float) -> dict:
        """Move a statement that the fault ``hold_query`` holds."""
        return self.call(
            "POST", "/progress", {"operation": operation, "percent": percent}
        )

    def requests(self, **query: Any) -> list[dict]:
        text = urllib.parse.urlencode(query)
        return self.call("GET", "/requests" + ("?" + text if text else ""))["requests"]

    def advance(self, by: float | str) -> dict:
        """Put the clock forward, by seconds or by text such as "25m"."""
        body = {"by": by} if isinstance(by, str) else {"seconds": by}
        return self.call("POST", "/clock/advance", body)

    def wait(
        self,
        what: str,
        count: int = 1,
        *,
        operation: str | None = None,
        rpc: str | None = None,
        timeout: float = 30,
        at_most: bool = False,
    ) -> int:
        """Block until the counter is there; returns it.  ControlError 408 when it is
        late.
        """
        body = {
            "what": what,
            "count": count,
            "operation": operation,
            "rpc": rpc,
            "timeout_seconds": timeout,
            "at_most": at_most,
        }
        return self.call("POST", "/wait", body, timeout + 30)["count"]

    def fault(
        self, do: str | dict, where: Any = None, when: Any = None, times: int = 1
    ) -> str:
        """Add a fault; returns its id."""
        body = {"do": do, "where": where, "when": when, "times": times}
        return self.call("POST", "/faults", body)["id"]

    def faults(self) -> list[dict]:
        return self.call("GET", "/faults")["faults"]

    def fault_kinds(self) -> dict[str, dict]:
        """What faults there are: phase, parameters with defaults, meaning, the RPCs that
        can meet each, and which of those can be probes.
        """
        return self.call("GET", "/faults/kinds")

    def fault_matrix(self) -> list[tuple[str, str]]:
        """Every (kind, where) that can be: an RPC's name, ``probe`` or ``connection``.
        What the storage can meet has ``storage`` in ``fault_kinds``, what a page of
        links can, ``links``.
        """
        made = []
        for kind, known in self.fault_kinds().items():
            made += [(kind, rpc) for rpc in known["rpcs"]]
            made += [(kind, "probe")] if known["probes"] else []
            made += [(kind, "connection")] if known["phase"] == "connection" else []
        return made

    def cloud_fault_matrix(self) -> list[tuple[str, str]]:
        """Every (kind, ``storage`` or ``links``) that can be."""
        return [
            (kind, place)
            for kind, known in self.fault_kinds().items()
            for place in ("storage", "links")
            if known[place]
        ]

    def fault_taken(self, ident: str) -> int:
        return self.call("GET", f"/faults/{ident}")["taken_count"]

    def clear_faults(self, ident: str | None = None) -> None:
        self.call("DELETE", f"/faults/{ident}" if ident else "/faults")

    def release(self) -> int:
        return self.call("POST", "/hold/release", {})["released"]

    def generate_catalog(
        self, name: str, tables: int, *, schemas: int = 1, columns: int = 2, rows: int = 10
    ) -> dict:
        """Add a catalog of that many tables, ``<name>.schema_000.table_000000`` and on."""
        body = {
            "name": name,
            "tables": tables,
            "schemas": schemas,
            "columns": columns,
            "rows": rows,
        }
        return self.call("POST", "/catalogs", body)

    def files(self, operation: str | None = None) -> list[dict]:
        """The files of results that links were given out for: rows, links, requests."""
        path = f"/files/{operation}" if operation else "/files"
        return self.call("GET", path)["files"]

    def volumes(self) -> dict[str, dict]:
        """The files in volumes: path -> ``bytes`` and ``sha256``."""
        found = self.call("GET", "/volumes")["files"]
        return {one.pop("path"): one for one in found}

    def clear_volumes(self) -> int:
        return self.call("DELETE", "/volumes")["removed"]

    def settings(self, **changes: Any) -> dict:
        return self.call("POST", "/settings", changes)

    def reset(self, *, sessions: bool = False) -> dict:
        return self.call("POST", "/reset", {"sessions": sessions})

    def restart(self) -> int:
        return self.call("POST", "/restart", {})["generation"]


def _arguments(options: dict[str, Any]) -> list[str]:
    made = []
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        if value is True:
            made.append(flag)
        elif value is not None and value is not False:
            made += [flag, str(value)]
    return made


class Warehouse(Control):
    """``with Warehouse(...) as w``: ``w.uri``, ``w.token`` and the control port's
    methods.
    """

    def __init__(self, **options: Any):
        options.setdefault("port", 0)
        self._options = options
        self._process: subprocess.Popen | None = None
        self._stderr: list[str] = []
        self.info: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        info = self.__dict__.get("info") or {}
        if name in info:
            return info[name]
        raise AttributeError(name)

    def start(self) -> Warehouse:
        root = pathlib.Path(__file__).resolve().parent.parent
        path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "warehouse",
                "--stop-with-parent",
                *_arguments(self._options),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        threading.Thread(target=self._read_stderr, daemon=True).start()
        timer = threading.Timer(START_SECONDS, self._process.kill)
        timer.start()
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        timer.cancel()
        if not line:
            status = self._process.wait()
            time.sleep(0.1)
            raise RuntimeError(f"warehouse ended with {status}: {self.stderr}")
        self.info = json.loads(line)
        super().__init__(self.info["control"])
        return self

    def _read_stderr(self) -> None:
        assert self._process is not None and self._process.stderr is not None
        for line in self._process.stderr:
            self._stderr.append(line)

    @property
    def stderr(self) -> str:
        """What the warehouse has written to stderr so far."""
        return "".join(self._stderr)

    def stop(self) -> int:
        """Stop as SIGTERM does; returns the status."""
        process = self._process
        assert process is not None
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process.stdout is not None:
            process.stdout.close()
        return process.returncode

    def freeze(self) -> None:
        """Stop the process in its tracks: connections stay, nothing answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End the process without a good-bye."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Warehouse:
        return self.start()

    def __exit__(self, *_: Any) -> None:
        self.stop()
