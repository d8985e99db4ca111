# SPDX-License-Identifier: Apache-2.0
"""The RPCs: from a request struct to a reply struct.

``Service.handle`` knows nothing of HTTP.  What an RPC cannot say in its reply is raised:
``HttpAnswer`` (a status instead of a Thrift message) and ``ApplicationError`` (a
TApplicationException).
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from dataclasses import dataclass, field
from typing import Any

from databricks.sql.thrift_api.TCLIService import ttypes as t

from . import replies
from .catalog import Catalog
from .clock import parse_duration
from .codec import PROTOCOL_ERROR
from .core import KIND_NAMES, Warehouse
from .encode import NativeTypes
from .fetch import Fetcher
from .operations import (
    Failure,
    Kind,
    Operation,
    Session,
    StatementRunner,
    Wanted,
    pass_states,
)
from .replies import V1, V4, V5, V6, V7
from .spoil import Spoil

log = logging.getLogger("warehouse.service")

TIMESTAMP_AS_STRING = "spark.thriftserver.arrowbasedrowset.timestampasstring"
#: Session settings that are the protocol's or the client's, not the SQL engine's.
NOT_FOR_ENGINE = frozenset({TIMESTAMP_AS_STRING, "query_tags"})
OPERATION_TIMEOUT = "hive.server2.idle.operation.timeout"
#: How long ExecuteStatement on Hive waits for a statement that does not compile.
HIVE_COMPILE_WAIT_SECONDS = 1.0


class HttpAnswer(Exception):
    """Answer with this HTTP status and vendor error instead of a Thrift message."""

    def __init__(self, status: int, error_code: str, message: str):
        super().__init__(message)
        self.status = status
        self.error_code = error_code
        self.message = message


class ApplicationError(Exception):
    """Answer with a TApplicationException."""

    def __init__(self, kind: int, message: str):
        super().__init__(message)
        self.kind = kind
        self.message = message


@dataclass
class Call:
    """One request on its way; ``op`` is filled in as soon as it is known."""

    name: str
    req: Any
    user_agent: str = ""
    op: Operation | None = None
    spoil: Spoil = field(default_factory=Spoil)
    hold_percent: float | None = None


class Service:
    def __init__(self, warehouse: Warehouse):
        self.wh = warehouse
        self.fetcher = Fetcher(warehouse)
        self.catalog = Catalog(warehouse)

    async def handle(self, call: Call) -> Any:
        """The reply struct of a request."""
        method = getattr(self, "_" + call.name, None)
        if method is None and call.name in Catalog.CALLS:
            method = self._catalog_call
        if method is None:
            text = f"{call.name} is not supported"
            if "DelegationToken" in call.name:
                text = "Delegation token is not supported"
            status = replies.error_status(self.wh.personality, text, "HYC00")
            return replies.failed(call.name, status)
        return await method(call)

    # -- handles --

    def locate(self, call: Call) -> None:
        """Find the operation that the request names and note the contact."""
        handle = getattr(call.req, "operationHandle", None)
        if handle is None:
            return
        op = self.wh.find_operation(handle)
        if op is None:
            return
        call.op = op
        now = self.wh.clock.now()
        op.requests[call.name] = op.requests.get(call.name, 0) + 1
        log_fetch = call.name == "FetchResults" and call.req.fetchType == 1
        personality = self.wh.personality
        contact = (
            personality.contact_metadata
            if op.is_metadata
            else personality.contact_statement
        )
        if call.name in contact and (not log_fetch or personality.databricks):
            op.contact.touch(now)
        if personality.databricks or call.name != "GetOperationStatus":
            op.session.contact.touch(now)

    def unknown_operation(self, name: str, handle: Any) -> Any:
        """The reply to a handle that nobody knows (any more)."""
        guid = handle.operationId.guid
        ident = str(uuid.UUID(bytes=guid)) if len(guid) == 16 else guid.hex()
        kind = KIND_NAMES.get(handle.operationType, "UNKNOWN")
        text = (
            f"Invalid OperationHandle: OperationHandle [opType={kind}, "
            f"getHandleIdentifier()={ident}]"
        )
        personality = self.wh.personality
        if not personality.databricks:
            return replies.failed(name, replies.error_status(personality, text))
        style = self.wh.options.unknown_handle
        if style == "http404":
            raise HttpAnswer(
                404, "RESOURCE_DOES_NOT_EXIST", f"Command {ident} does not exist."
            )
        if style == "invalid_handle":
            return replies.failed(name, t.TStatus(statusCode=replies.INVALID_HANDLE))
        status = replies.error_status(personality, text, "08000")
        return replies.failed(name, status)

    def _unknown_session(self, call: Call) -> Any:
        guid = call.req.sessionHandle.sessionId.guid
        ident = str(uuid.UUID(bytes=guid)) if len(guid) == 16 else guid.hex()
        text = f"Invalid SessionHandle: SessionHandle [{ident}]"
        name = self.wh.personality.name
        if call.name == "CloseSession" and name == "spark":
            text = "Session does not exist!"
        elif call.name == "CloseSession" and name == "hive":
            text = f"Session does not exist: SessionHandle [{ident}]"
        return replies.failed(call.name, replies.error_status(self.wh.personality, text))

    def _session(self, call: Call) -> Session | None:
        sess = self.wh.find_session(call.req.sessionHandle)
        if sess is not None:
            sess.contact.touch(self.wh.clock.now())
        return sess

    # -- sessions --

    def _negotiate(self, req: Any) -> int:
        present = req.fields_present
        if self.wh.personality.databricks:
            newest = 0xA500 + self.wh.options.protocol_cap
            if "client_protocol_i64" in present:
                return min(newest, max(req.client_protocol_i64, 0))
            asked = req.client_protocol if "client_protocol" in present else 9
            return min(newest, asked) if asked >= 0 else 9
        if "client_protocol" not in present:
            return 9
        if not 0 <= req.client_protocol <= 10:
            raise ApplicationError(
                PROTOCOL_ERROR,
                "Required field 'client_protocol' is unset! "
                "Struct:TOpenSessionReq(client_protocol:null)",
            )
        return req.client_protocol

    def _configuration(self, req: Any) -> tuple[dict[str, str], str | None, float | None]:
        """Engine settings, database and operation timeout out of the configuration
        map.
        """
        confs: dict[str, str] = {}
        database, timeout = None, None
        for key, value in (req.configuration or {}).items():
            bare = key
            for prefix in ("set:hiveconf:", "set:"):
                bare = bare.removeprefix(prefix)
            if key == "use:database":
                database = value
            elif bare == OPERATION_TIMEOUT:
                timeout = parse_duration(value if value[-1:].isalpha() else value + "ms")
            elif key.startswith(("set:hivevar:", "set:system:")):
                continue
            elif bare.startswith("hive.") and key != bare:
                if not bare.startswith(("hive.server2.", "hive.exec.", "hive.fetch.")):
                    raise ValueError(f"hive configuration {bare} does not exists.")
            elif bare.lower() not in NOT_FOR_ENGINE:
                confs[bare] = value
        if not self.wh.personality.databricks:
            confs = {
                k: v
                for k, v in confs.items()
                if "set:hiveconf:" + k in req.configuration
                or "set:" + k in req.configuration
            }
        return confs, database, timeout

    async def _OpenSession(self, call: Call) -> Any:
        req, wh = call.req, self.wh
        personality = wh.personality
        protocol = self._negotiate(req)
        if protocol < 5:
            text = (
                f"Client protocol {protocol} needs row based results, which the local "
                "warehouse does not have; use HIVE_CLI_SERVICE_PROTOCOL_V6 (5) or newer"
            )
            return replies.failed("OpenSession", replies.error_status(personality, text))
        catalog = schema = None
        if personality.databricks and req.initialNamespace is not None and protocol >= V4:
            catalog, schema = (
                req.initialNamespace.catalogName,
                req.initialNamespace.schemaName,
            )
            if catalog is not None and catalog.lower() in ("spark", "spark_catalog", ""):
                catalog = None
        try:
            confs, database, timeout = self._configuration(req)
            engine = await wh.in_worker(
                wh.engine.open_session, catalog or None, database or schema or None, confs
            )
        except Exception as error:  # noqa: BLE001
            return replies.failed("OpenSession", self._refusal(error))
        engine.staging = personality.databricks and protocol >= V7
        sess = Session(engine, protocol, wh.clock.now(), call.user_agent)
        sess.operation_idle_seconds = timeout
        sess.confs = {k.lower(): v for k, v in (req.configuration or {}).items()}
        wh.add_session(sess)
        return self._opened(sess, req)

    def _refusal(self, error: Exception) -> t.TStatus:
        personality = self.wh.personality
        if isinstance(error, ValueError) and not hasattr(error, "error_class"):
            failure = Failure("INVALID_CONF_VALUE", "42K0I", str(error))
        else:
            failure = Failure.of(error)
        if failure.error_class == "INTERNAL_ERROR":
            log.error("opening a session", exc_info=error)
        if personality.databricks:
            return replies.failure_status(personality, failure)
        return replies.error_status(
            personality, f"Failed to open new session: {failure.message}"
        )

    def _opened(self, sess: Session, req: Any) -> t.TOpenSessionResp:
        personality = self.wh.personality
        made = t.TOpenSessionResp(
            status=replies.ok(),
            serverProtocolVersion=sess.protocol,
            sessionHandle=replies.session_handle(sess, personality),
            configuration={},
        )
        if personality.name == "hive":
            made.configuration = {
                "hive.default.nulls.last": "true",
                "hive.server2.thrift.resultset.default.fetch.size": "1000",
            }
        if personality.databricks and sess.protocol >= V4:
            made.initialNamespace = t.TNamespace(
                catalogName=sess.engine.catalog.lower(),
                schemaName=sess.engine.schema.lower(),
            )
            made.canUseMultipleCatalogs = True
        if personality.databricks and sess.protocol >= V1 and req.getInfos:
            made.getInfos = [
                self._info(kind) or t.TGetInfoValue(stringValue="")
                for kind in req.getInfos
            ]
        return made

    async def _CloseSession(self, call: Call) -> Any:
        sess = self.wh.find_session(call.req.sessionHandle)
        if sess is None:
            return self._unknown_session(call)
        self.wh.end_session(sess)
        return t.TCloseSessionResp(status=replies.ok())

    def _info(self, kind: int) -> t.TGetInfoValue | None:
        personality = self.wh.personality
        known = {
            t.TGetInfoType.CLI_SERVER_NAME: personality.server_name,
            t.TGetInfoType.CLI_DBMS_NAME: personality.dbms_name,
            t.TGetInfoType.CLI_DBMS_VER: personality.dbms_version,
        }
        text = known.get(kind)
        return None if text is None else t.TGetInfoValue(stringValue=text)

    async def _GetInfo(self, call: Call) -> Any:
        personality = self.wh.personality
        value = self._info(call.req.infoType)
        # Spark answers these without looking the session up.
        if personality.name != "spark" or value is None:
            if self._session(call) is None:
                if personality.name == "hive":
                    raise HttpAnswer(500, "", "Required field 'infoValue' is unset!")
                return self._unknown_session(call)
        if value is not None:
            return t.TGetInfoResp(status=replies.ok(), infoValue=value)
        if not personality.databricks:
            raise HttpAnswer(500, "", "Required field 'infoValue' is unset!")
        status = replies.error_status(
            personality, f"Unrecognized GetInfoType value: {call.req.infoType}", "HY096"
        )
        return replies.failed("GetInfo", status)

    # -- statements --

    def _wanted(self, sess: Session, req: Any) -> Wanted:
        if not self.wh.personality.databricks or sess.protocol < V1:
            return Wanted()
        confs = {k.lower(): v for k, v in (req.confOverlay or {}).items()}
        as_string = confs.get(
            TIMESTAMP_AS_STRING, sess.confs.get(TIMESTAMP_AS_STRING, "true")
        )
        asked = req.useArrowNativeTypes
        native = NativeTypes.of(asked, as_string.lower() != "false")
        if sess.protocol < V5:
            native = NativeTypes(timestamp=native.timestamp)
        return Wanted(
            arrow=bool(req.canReadArrowResult),
            lz4=bool(req.canDecompressLZ4Result) and sess.protocol >= V6,
            native=native,
            row_limit=req.resultRowLimit if sess.protocol >= V4 else None,
            links=bool(req.canDownloadResult),
            file_bytes=req.maxBytesPerFile,
        )

    def _statement(self, sess: Session, req: Any) -> Any:
        from warehouse.sql import Parameter

        def convert(index: int, item: Any) -> Parameter:
            value = None
            if item.value is not None:
                held = item.value
                if held.stringValue is not None:
                    value = held.stringValue
                elif held.doubleValue is not None:
                    value = repr(held.doubleValue)
                elif held.booleanValue is not None:
                    value = "true" if held.booleanValue else "false"
            return Parameter(
                item.name, index, item.type or "STRING", value, item.arguments
            )

        # V8 says that parameters are bound; the vendor's connector asks for V7 and binds.
        bound = self.wh.personality.databricks and sess.protocol >= V7
        given = req.parameters if bound else None
        parameters = [convert(i, item) for i, item in enumerate(given or [], 1)]
        confs = None
        if self.wh.personality.databricks and req.confOverlay:
            confs = {
                k: v
                for k, v in req.confOverlay.items()
                if k.lower() not in NOT_FOR_ENGINE
            }
        return sess.engine.statement(req.statement, parameters, confs)

    def _time_limit(self, sess: Session, req: Any) -> float:
        limits = [float(req.queryTimeout or 0)]
        for key, value in dict(sess.engine.confs).items():
            if key.lower() == "statement_timeout":
                try:
                    limits.append(parse_duration(str(value)))
                except ValueError:
                    pass
        limits = [limit for limit in limits if limit > 0]
        return min(limits, default=0.0)

    async def _ExecuteStatement(self, call: Call) -> Any:
        req, wh = call.req, self.wh
        sess = self._session(call)
        if sess is None:
            return self._unknown_session(call)
        op = Operation(sess, Kind.EXECUTE_STATEMENT, req.statement, wh.clock.now())
        op.wanted = self._wanted(sess, req)
        op.confs = dict(req.confOverlay or {})
        op.held_percent = call.hold_percent
        try:
            op.statement = self._statement(sess, req)
            limit = self._time_limit(sess, req)
        except Exception as error:  # noqa: BLE001
            failure = Failure.of(error)
            if failure.error_class == "INTERNAL_ERROR":
                log.error("preparing a statement", exc_info=error)
            return replies.failed(
                call.name, replies.failure_status(wh.personality, failure)
            )
        wh.add_operation(op)
        call.op = op
        op.requests[call.name] = 1
        if wh.bench is None or not wh.bench.attach(op, req):
            StatementRunner(op, wh).start(limit)
        return await self._started(call, op)

    async def _started(self, call: Call, op: Operation) -> Any:
        req, wh = call.req, self.wh
        personality = wh.personality
        direct = self._direct_wanted(op, req)

        def done() -> bool:
            return not op.live or op.gone

        if not req.runAsync:
            await op.changed.wait_for(done, None)
            if op.failure is not None:
                wh.end_operation(op)
                status = replies.failure_status(personality, op.failure)
                return replies.failed(call.name, status)
        elif direct is not None:
            await op.changed.wait_for(done, wh.options.direct_wait_ms / 1000)
        elif personality.name == "hive":
            await op.changed.wait_for(done, HIVE_COMPILE_WAIT_SECONDS)
            status = op.failure and replies.hive_compile_status(personality, op.failure)
            if status:
                wh.end_operation(op)
                return replies.failed(call.name, status)
        made = replies.RESPONSES[call.name](
            status=replies.ok(), operationHandle=replies.operation_handle(op, personality)
        )
        if direct is not None:
            made.directResults = await self._direct_results(call, op, direct)
        return made

    def _direct_wanted(self, op: Operation, req: Any) -> Any:
        wh = self.wh
        if not wh.personality.databricks or op.session.protocol < V1:
            return None
        return req.getDirectResults if wh.options.direct_results else None

    async def _direct_results(self, call: Call, op: Operation, asked: Any) -> Any:
        personality = self.wh.personality
        made = t.TSparkDirectResults(
            operationStatus=replies.operation_status(op, personality)
        )
        if op.gone or op.state != t.TOperationState.FINISHED_STATE:
            return made
        links = self.fetcher.comes_as_links(op, op.cursor)
        made.resultSetMetadata = replies.result_metadata(
            op, personality, call.spoil, links
        )
        if asked.maxRows <= 0:
            return made
        made.resultSet = await self.fetcher.page(
            op, None, asked.maxRows, asked.maxBytes, call.spoil
        )
        if (
            made.resultSet.status.statusCode == replies.OK
            and not made.resultSet.hasMoreRows
            and not links
        ):
            self.wh.end_operation(op)
            made.closeOperation = t.TCloseOperationResp(status=replies.ok())
        return made

    # -- operations --

    def _found(self, call: Call) -> Operation | None:
        op = call.op
        return None if op is None or op.gone else op

    async def _GetOperationStatus(self, call: Call) -> Any:
        op = self._found(call)
        if op is None:
            return self.unknown_operation(call.name, call.req.operationHandle)
        wait_ms = self.wh.options.long_poll_ms
        wait = self.wh.personality.poll_seconds if wait_ms is None else wait_ms / 1000
        before = op.state
        if op.live and wait > 0:
            await op.changed.wait_for(lambda: op.state != before or op.gone, wait)
        if op.gone:
            return self.unknown_operation(call.name, call.req.operationHandle)
        made = replies.operation_status(op, self.wh.personality)
        if call.req.getProgressUpdate and self.wh.personality.reports_progress:
            made.progressUpdateResponse = replies.progress(op)
        return made

    async def _GetResultSetMetadata(self, call: Call) -> Any:
        op, personality = self._found(call), self.wh.personality
        if op is None:
            return self.unknown_operation(call.name, call.req.operationHandle)
        if personality.name == "spark" and not op.is_metadata:
            if op.live or op.form is None:
                op.schema_asked_early = True
            if op.schema_asked_early:
                return self._result_column_only()
        if op.form is None or (op.live and personality.databricks):
            status = replies.not_finished(op, personality)
            return replies.failed(call.name, status)
        if personality.name == "hive" and op.outcome and op.outcome.kind != "query":
            status = replies.error_status(personality, NO_FIELD_SCHEMAS)
            return replies.failed(call.name, status)
        if personality.name == "spark" and any(
            column.sql_name == "VARIANT" for column in op.columns
        ):
            status = replies.error_status(personality, NO_VARIANT)
            return replies.failed(call.name, status)
        links = self.fetcher.comes_as_links(op, op.cursor)
        return replies.result_metadata(op, personality, call.spoil, links)

    def _result_column_only(self) -> t.TGetResultSetMetadataResp:
        """What Spark says of a schema that was asked for too early, then and ever
        after.
        """
        from .encode import WireColumn

        column = WireColumn("Result", t.TTypeId.STRING_TYPE)
        schema = replies.table_schema([column], self.wh.personality)
        return t.TGetResultSetMetadataResp(status=replies.ok(), schema=schema)

    async def _FetchResults(self, call: Call) -> Any:
        op = self._found(call)
        if op is None:
            return self.unknown_operation(call.name, call.req.operationHandle)
        made = await self.fetcher.fetch(op, call.req, call.spoil)
        if made is None:
            return self.unknown_operation(call.name, call.req.operationHandle)
        return made

    async def _CancelOperation(self, call: Call) -> Any:
        op = self._found(call)
        if op is None:
            return self.unknown_operation(call.name, call.req.operationHandle)
        clock = self.wh.clock
        if op.live:
            op.cancelled_at = clock.now()
            self.wh.stats.cancels += 1
            op.set_state(t.TOperationState.CANCELED_STATE, clock.now(), clock.wall_ms())
            op.stop_work()
            self.wh.activity.fire()
        return t.TCancelOperationResp(status=replies.ok())

    async def _CloseOperation(self, call: Call) -> Any:
        op = self._found(call)
        if op is None:
            return self.unknown_operation(call.name, call.req.operationHandle)
        self.wh.end_operation(op)
        return t.TCloseOperationResp(status=replies.ok())

    # -- catalog calls --

    async def _catalog_call(self, call: Call) -> Any:
        sess, wh = self._session(call), self.wh
        if sess is None:
            return self._unknown_session(call)
        op = Operation(sess, Catalog.CALLS[call.name], None, wh.clock.now())
        later = wh.personality.databricks and sess.protocol >= V6 and call.req.runAsync
        direct = self._direct_wanted(op, call.req)
        if later:
            wh.add_operation(op)
            op.task = asyncio.create_task(self._answer_later(call, sess, op))
            if direct is not None:
                limit = wh.options.direct_wait_ms / 1000
                await op.changed.wait_for(lambda: not op.live or op.gone, limit)
        else:
            failure = await self._catalog_answer(call, sess, op)
            if failure is not None:
                return replies.failed(
                    call.name, replies.failure_status(wh.personality, failure)
                )
            wh.add_operation(op)
        call.op = op
        op.requests[call.name] = 1
        made = replies.RESPONSES[call.name](
            status=replies.ok(),
            operationHandle=replies.operation_handle(op, wh.personality),
        )
        if direct is not None:
            made.directResults = await self._direct_results(call, op, direct)
        return made

    async def _catalog_answer(
        self, call: Call, sess: Session, op: Operation
    ) -> Failure | None:
        """Fill the operation with the answer, or say why there is none."""
        try:
            await self.catalog.answer(call.name, call.req, sess, op)
        except Exception as error:  # noqa: BLE001
            failure = Failure.of(error)
            if failure.error_class == "INTERNAL_ERROR":
                log.error("%s", call.name, exc_info=error)
            return failure
        return None

    async def _answer_later(self, call: Call, sess: Session, op: Operation) -> None:
        """The same with states that last, for a client that polls."""
        clock = self.wh.clock
        await pass_states(op, self.wh)
        if not op.live or op.gone:
            return
        op.failure = await self._catalog_answer(call, sess, op)
        if op.failure is not None:
            op.set_state(t.TOperationState.ERROR_STATE, clock.now(), clock.wall_ms())
        if op.gone and op.store is not None:
            op.store.discard()
        self.wh.activity.fire()


NO_VARIANT = "java.lang.IllegalArgumentException: Unrecognized type name: variant"
NO_FIELD_SCHEMAS = (
    "Error running query: java.lang.NullPointerException: Cannot invoke "
    '"java.util.List.iterator()" because "fieldSchemas" is null'
)
