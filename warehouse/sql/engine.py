# SPDX-License-Identifier: Apache-2.0
"""The engine, its sessions and statements: what the server calls.

One DuckDB instance; every statement has a connection of its own, so that a result may be
read for as long as anyone likes while the session runs other statements.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from . import commands, confs, macros, metadata, samples, writes
from .catalog import Catalog
from .compiler import Compiler
from .dialect import mark_parameters, parse
from .errors import (
    Cancelled,
    SqlError,
    from_duckdb,
    internal_error,
    overflow,
    unsupported,
)
from .output import BATCH_ROWS, Converter, Outcome, describe, schema_of
from .scope import Rel, Scope
from .staging import Volumes

_log = logging.getLogger("warehouse.sql")

_CANCELLED = "the statement was cancelled"


@dataclass
class Parameter:
    name: str | None
    ordinal: int | None
    type: str
    value: str | None
    arguments: list | None = None


class Engine:
    """Owns the database. Thread-safe."""

    def __init__(
        self,
        database: str | None = None,
        samples: bool = True,
        scale: int = 1,
        threads: int | None = None,
    ):
        self._root = duckdb.connect(
            ":memory:", config={"threads": threads} if threads else {}
        )
        self._sleepers: dict[int, threading.Event] = {}
        self._numbers = itertools.count(1)
        self._closed = False
        try:
            self._prepare(database, samples, scale)
        except BaseException:
            self._root.close()
            raise
        self.catalog = Catalog(self.cursor)
        self.volumes: Volumes | None = None

    def _prepare(self, database: str | None, with_samples: bool, scale: int) -> None:
        root = self._root
        for setting in (
            "python_enable_replacements = false",
            "ieee_floating_point_ops = false",
            "order_by_non_integer_literal = true",
            "TimeZone = 'UTC'",
        ):
            root.execute(f"SET GLOBAL {setting}")
        root.execute("SET enable_progress_bar = false")
        macros.install(root, "memory.main")
        root.create_function(
            "lb_sleep",
            self._sleep,
            ["BIGINT", "BIGINT"],
            "BIGINT",
            side_effects=True,
        )
        path = (
            "':memory:'" if database is None else "'" + database.replace("'", "''") + "'"
        )
        try:
            root.execute(f"ATTACH {path} AS c_main")
        except duckdb.Error as exc:
            raise OSError(f"cannot open the database file {database}: {exc}") from None
        root.execute('CREATE SCHEMA IF NOT EXISTS c_main."default"')
        if with_samples:
            root.execute("ATTACH ':memory:' AS c_samples")
            samples.install(root, scale)

    def _sleep(self, ms: int, statement: int) -> int:
        """sleep_ms in SQL; runs inside DuckDB and ends early when interrupted."""
        event = self._sleepers.get(statement)
        if event is None:
            event = threading.Event()
        if event.wait(max(ms, 0) / 1000):
            raise InterruptedError("interrupted")
        return ms

    def cursor(self) -> duckdb.DuckDBPyConnection:
        return self._root.cursor()

    def begin(self, event: threading.Event) -> int:
        number = next(self._numbers)
        self._sleepers[number] = event
        return number

    def end(self, number: int) -> None:
        self._sleepers.pop(number, None)

    def open_session(self, catalog=None, schema=None, confs=None) -> SqlSession:
        return SqlSession(self, catalog, schema, confs or {})

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            for event in list(self._sleepers.values()):
                event.set()
            self._root.close()


class SqlSession(metadata.Metadata):
    """Namespace, settings and temporary views; shares nothing with other sessions."""

    def __init__(self, engine: Engine, catalog, schema, settings: dict[str, str]):
        self.engine = engine
        self.catalog = "main"
        self.schema = "default"
        self.confs: dict[str, str] = {}
        self.temp_views: dict[str, object] = {}
        self.staging = False
        if catalog:
            self.catalog = engine.catalog.need_catalog(catalog)
        if schema and (catalog or schema.lower() != "default"):
            _, self.schema = engine.catalog.need_schema(self.catalog, schema)
        for key, value in settings.items():
            self.set_conf(key, value)

    @property
    def timezone(self) -> str:
        return self.confs.get("TIMEZONE", confs.DEFAULT_ZONE)

    @property
    def ansi(self) -> bool:
        return self.confs.get("ANSI_MODE", "true").lower() == "true"

    def set_conf(self, key: str, value: str) -> tuple[str, str]:
        name, value = confs.checked(self.engine, key, value)
        self.confs[name] = value
        return name, value

    def qualify(self, parts: list[str]) -> tuple[str, str, str]:
        if len(parts) > 3:
            raise SqlError(
                "REQUIRES_SINGLE_PART_NAMESPACE",
                "42K05",
                f"A name has at most three parts, `{'.'.join(parts)}` has {len(parts)}.",
            )
        return tuple([self.catalog, self.schema][: 3 - len(parts)] + list(parts))

    def at(self, catalog: str, schema: str) -> SqlSession:
        """A copy that stands in another namespace (for the views made there)."""
        other = SqlSession.__new__(SqlSession)
        other.__dict__ = {**self.__dict__, "catalog": catalog, "schema": schema}
        return other

    def statement(self, sql: str, parameters=None, confs=None) -> SqlStatement:
        return SqlStatement(self, sql, parameters or [], confs or {})

    def close(self) -> None:
        self.temp_views.clear()


class SqlStatement:
    """One execution. run() and the batches on one thread at a time, interrupt() from any."""

    def __init__(
        self, session: SqlSession, sql: str, parameters, overlay: dict[str, str]
    ):
        self.session = session
        self.engine = session.engine
        self.sql = sql
        self.parameters = parameters
        self._overlay = overlay
        self._event = threading.Event()  # set: the statement must end
        self._idle = threading.Event()  # set: no DuckDB call can be running
        self._idle.set()
        self.con: duckdb.DuckDBPyConnection | None = None

    # --- running --------------------------------------------

    def run(self) -> Outcome:
        number = self.engine.begin(self._event)
        self._number = number
        self._idle.clear()
        keep = False
        try:
            self._start(number)
            outcome = self._outcome()
            if outcome.kind == "query":
                keep, outcome.batches = True, self._primed(outcome.batches)
            return outcome
        except duckdb.Error as exc:
            raise self._error(exc) from None
        except (pa.ArrowException, RecursionError) as exc:
            raise self._broken(exc) from None
        except (SqlError, Cancelled):
            raise
        except Exception as exc:
            _log.exception("statement failed inside the engine: %s", self.sql)
            raise internal_error(exc) from exc
        finally:
            self._idle.set()
            if not keep:
                self._finish()

    def _start(self, number: int) -> None:
        session = self.session
        if self._overlay:
            session = session.at(session.catalog, session.schema)
            session.confs = dict(session.confs)
            for key, value in self._overlay.items():
                session.set_conf(key, value)
        self.view = session
        self.con = self.engine.cursor()
        zone = confs.duck_zone(session.timezone)
        if zone not in ("UTC", confs.DEFAULT_ZONE):  # as it is for every connection
            self.con.execute(f"SET TimeZone = '{zone}'")
        self.con.execute(f"SET VARIABLE lakebeat_statement = {number}")
        self.check()

    def _outcome(self) -> Outcome:
        answer = commands.run(self)
        if answer is not None:
            return answer
        marked, markers = mark_parameters(self.sql)
        tree = parse(marked)
        compiler = Compiler(self.view, self.parameters, markers)
        answer = writes.run(self, tree, compiler)
        if answer is not None:
            return answer
        return self.stream(compiler.query(tree, Scope()))

    def stream(self, rel: Rel) -> Outcome:
        self.check()
        schema = schema_of(rel.columns, self.view.timezone)
        reader = self.con.sql(rel.sql).to_arrow_reader(BATCH_ROWS)
        batches = self._batches(reader, Converter(schema))
        return Outcome("query", describe(rel.columns), schema, None, batches)

    def _batches(self, reader, convert) -> Iterator[pa.RecordBatch]:
        try:
            while True:
                self._idle.clear()
                try:
                    self.check()
                    batch = convert(reader.read_next_batch())
                except StopIteration:
                    return
                except duckdb.Error as exc:
                    raise self._error(exc) from None
                except (pa.ArrowException, OSError) as exc:
                    raise self._broken(exc) from None
                finally:
                    self._idle.set()
                if batch.num_rows:
                    yield batch
        finally:
            del reader
            self._finish()

    def _primed(self, batches) -> Iterator[pa.RecordBatch]:
        """Runs up to the first batch, so that early errors are errors of run()."""
        first = next(batches, None)
        if first is None:
            return iter(())
        return _Chained(first, batches)

    def execute(self, sql: str) -> list[tuple]:
        """A statement of DuckDB's with a small answer."""
        self.check()
        return self.con.execute(sql).fetchall()

    # --- ending --------------------------------------------

    def check(self) -> None:
        if self._event.is_set():
            raise Cancelled(_CANCELLED)

    def _error(self, exc: duckdb.Error) -> Exception:
        return Cancelled(_CANCELLED) if self._event.is_set() else from_duckdb(exc)

    def _broken(self, exc: Exception) -> Exception:
        if self._event.is_set():
            return Cancelled(_CANCELLED)
        if isinstance(exc, RecursionError):
            return unsupported("an expression nested this deeply")
        if "not in range" in str(exc):
            return overflow()
        return from_duckdb(duckdb.Error(str(exc)))

    def interrupt(self) -> None:
        if self._event.is_set():
            return
        self._event.set()
        threading.Thread(
            target=self._press, name="lakebeat-interrupt", daemon=True
        ).start()

    def _press(self) -> None:
        """DuckDB forgets an interrupt that comes between two of its calls: repeat it."""
        while not self._idle.is_set():
            con = self.con
            if con is not None:
                try:
                    con.interrupt()
                except duckdb.Error:
                    return
            self._idle.wait(0.02)

    def _finish(self) -> None:
        self.engine.end(self._number)
        con, self.con = self.con, None
        if con is not None:
            con.close()


class _Chained:
    """The first batch, then the rest; closing it closes the rest."""

    def __init__(self, first: pa.RecordBatch, rest: Iterator[pa.RecordBatch]):
        self._first: pa.RecordBatch | None = first
        self._rest = rest

    def __iter__(self):
        return self

    def __next__(self) -> pa.RecordBatch:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return next(self._rest)

    def close(self) -> None:
        self._first = None
        self._rest.close()
