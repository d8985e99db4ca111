# SPDX-License-Identifier: Apache-2.0
"""Start, announce, stop."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import logging
import os
import resource
import signal
import socket
import sys
from typing import Any

from .options import Options, parse

PR_SET_PDEATHSIG = 1
PARENT_CHECK_SECONDS = 1.0
BACKLOG = 1024
GC_THRESHOLDS = (20_000, 20, 50)


class CannotStart(Exception):
    """Told to the user in one line; status 1."""


def _listen(host: str, port: int, what: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except (OSError, UnicodeError) as error:
        made.close()
        reason = getattr(error, "strerror", None) or error
        raise CannotStart(f"{what}: cannot listen on {host}:{port}: {reason}") from None
    made.listen(BACKLOG)
    made.setblocking(False)
    return made


def _raise_file_limit() -> None:
    """Every large open result holds a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _follow_parent(stop: asyncio.Event, loop: asyncio.AbstractEventLoop) -> None:
    """Stop when the parent process is gone.

    The kernel's signal comes when the *thread* that started us ends, so it only makes us
    look; the look decides.
    """
    parent = os.getppid()

    def look() -> None:
        if os.getppid() != parent:
            stop.set()

    def again() -> None:
        look()
        loop.call_later(PARENT_CHECK_SECONDS, again)

    loop.add_signal_handler(signal.SIGUSR1, look)
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGUSR1)
    again()


class Server:
    def __init__(self, options: Options):
        self.options = options
        self.ca_file: str | None = None
        self.storage_socket: socket.socket | None = None
        self.stop = asyncio.Event()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop.set)
        if self.options.stop_with_parent:
            _follow_parent(self.stop, loop)
        options = self.options
        main_socket = _listen(options.host, options.port, "--port")
        control_socket = _listen("127.0.0.1", options.control_port, "--control-port")
        self.storage_socket = _listen(options.host, options.storage_port, "--storage-port")
        warehouse = await self._serve(main_socket, control_socket)
        sweeper = loop.create_task(warehouse.sweeper.run())
        # Ten thousand open results are a million objects; to look through all of them
        # often would hold every reply up.
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        print(
            json.dumps(self._announcement(warehouse, main_socket, control_socket)),
            flush=True,
        )
        await self.stop.wait()
        sweeper.cancel()
        warehouse.close()
        if options.database is not None:
            await asyncio.wait(
                [loop.run_in_executor(None, warehouse.engine.close)], timeout=1.0
            )

    async def _serve(
        self, main_socket: socket.socket, control_socket: socket.socket
    ) -> Any:
        from uvicorn.config import Config
        from uvicorn.server import ServerState

        from warehouse.sql import Engine

        from .connection import Connection, Listener, StorageListener
        from .control import Control
        from .core import Warehouse
        from .http import App
        from .storage import Storage

        options = self.options
        try:
            engine = Engine(options.database, samples=options.samples)
        except Exception as error:  # noqa: BLE001
            raise CannotStart(f"--database {options.database}: {error}") from error
        warehouse = Warehouse(options, engine)
        context = None
        if options.tls:
            from . import tls

            context, self.ca_file = tls.make(options.host)
        loop = asyncio.get_running_loop()

        async def serve(
            app: Any, listener: Any, listening: socket.socket, ssl: Any
        ) -> None:
            config = Config(
                app,
                lifespan="off",
                log_config=None,
                access_log=False,
                ws="none",
                http=Connection,
                timeout_keep_alive=options.keep_alive_seconds,
                server_header=False,
                date_header=False,
            )
            config.load()
            state = ServerState()

            def connection() -> Connection:
                return Connection(config, state, listener)

            # Without a backlog asyncio listens again, with one of 100.
            await loop.create_server(
                connection, sock=listening, ssl=ssl, backlog=BACKLOG
            )

        await serve(App(warehouse), Listener(warehouse), main_socket, context)
        await serve(
            Storage(warehouse), StorageListener(warehouse), self.storage_socket, context
        )
        warehouse.volumes.base = self._address(self.storage_socket)
        warehouse.links.base = warehouse.volumes.base
        await serve(Control(warehouse), None, control_socket, None)
        return warehouse

    @property
    def _host(self) -> str:
        """Where a client on this machine finds the listeners."""
        host = self.options.host
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)

    def _address(self, listening: socket.socket) -> str:
        scheme = "https" if self.options.tls else "http"
        shown = f"[{self._host}]" if ":" in self._host else self._host
        return f"{scheme}://{shown}:{listening.getsockname()[1]}"

    def _announcement(
        self, warehouse: Any, main_socket: socket.socket, control_socket: socket.socket
    ) -> dict:
        options = self.options
        path = warehouse.personality.default_path
        return {
            "uri": self._address(main_socket) + path,
            "token": options.token if warehouse.personality.databricks else None,
            "control": f"http://127.0.0.1:{control_socket.getsockname()[1]}",
            "ca_file": self.ca_file,
            "pid": os.getpid(),
            "host": self._host,
            "port": main_socket.getsockname()[1],
            "http_path": path,
            "personality": warehouse.personality.name,
            "storage": warehouse.volumes.base,
        }


def main(arguments: list[str] | None = None) -> None:
    """Runs until stopped and ends the process: statements may still hang on threads."""
    options = parse(arguments)
    logging.basicConfig(
        stream=sys.stderr,
        level=options.log.upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    _raise_file_limit()
    try:
        from uvloop import run
    except ImportError:
        from asyncio import run  # type: ignore[assignment]
    status = 0

    async def serve() -> None:
        nonlocal status
        server = Server(options)
        try:
            await server.run()
        except CannotStart as error:
            print(f"warehouse: {error}", file=sys.stderr)
            status = 1
        except Exception:
            logging.getLogger("warehouse").exception("cannot go on")
            status = 1
        finally:
            if server.ca_file is not None:
                os.unlink(server.ca_file)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    run(serve())
