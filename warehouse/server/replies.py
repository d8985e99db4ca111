# SPDX-License-Identifier: Apache-2.0
"""The vendor's reply structs, filled as real servers fill them."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
from databricks.sql.thrift_api.TCLIService import ttypes as t

from .codec import RESULTS
from .encode import WireColumn
from .operations import Failure, Operation, Session, State, state_name
from .personality import Personality
from .spoil import Spoil

OK = t.TStatusCode.SUCCESS_STATUS
ERROR = t.TStatusCode.ERROR_STATUS
INVALID_HANDLE = t.TStatusCode.INVALID_HANDLE_STATUS

V1, V3, V4, V5, V6, V7 = (0xA500 + n for n in (1, 3, 4, 5, 6, 7))

#: reply class of each RPC
RESPONSES = {name: cls.thrift_spec[0][3][0] for name, cls in RESULTS.items()}

#: TDBSqlCloudFetch reasons: small result, metadata operation.
SMALL_RESULT, METADATA_OPERATION, NO_ARROW = 5, 8, 0

_EXCEPTION = "org.apache.hive.service.cli.HiveSQLException"


def ok() -> t.TStatus:
    return t.TStatus(statusCode=OK)


def _stack(message: str, personality: Personality) -> list[str]:
    if personality.name == "hive":
        return ["Server-side error; please check HS2 logs."]
    where = "org.apache.spark.sql.hive.thriftserver"
    return [
        f"*{_EXCEPTION}:{message}:26:25",
        f"{where}.HiveThriftServerErrors$:runningQueryError:HiveThriftServerErrors.scala:48",
        f"{where}.SparkExecuteStatementOperation:execute:SparkExecuteStatementOperation.scala:510",
        "java.lang.Thread:run:Thread.java:840",
    ]


def trace(failure: Failure) -> str:
    """What the engine's stack trace looks like: its first lines are enough for a
    client.
    """
    where = "org.apache.spark.sql.hive.thriftserver"
    return (
        f"{_EXCEPTION}: Error running query: [{failure.error_class}] "
        f"org.apache.spark.sql.AnalysisException: {failure.message}\n"
        f"\tat {where}.HiveThriftServerErrors$.runningQueryError"
        "(HiveThriftServerErrors.scala:48)\n"
        f"\tat {where}.SparkExecuteStatementOperation.execute"
        "(SparkExecuteStatementOperation.scala:510)\n"
        "\tat java.base/java.lang.Thread.run(Thread.java:840)\n"
    )


def error_status(
    personality: Personality,
    message: str,
    sqlstate: str | None = None,
    code: int | None = 0,
    status_code: int = ERROR,
    display: str | None = None,
) -> t.TStatus:
    made = t.TStatus(
        statusCode=status_code,
        infoMessages=_stack(message, personality),
        sqlState=sqlstate,
        errorCode=code,
        errorMessage=message,
    )
    if personality.databricks:
        made.displayMessage = display or message
    return made


_HIVE_COMPILE = {
    "PARSE_SYNTAX_ERROR": ("42000", 40000, "ParseException"),
    "TABLE_OR_VIEW_NOT_FOUND": ("42S02", 10001, "SemanticException [Error 10001]"),
    "UNRESOLVED_COLUMN": ("42000", 10004, "SemanticException [Error 10004]"),
    "SCHEMA_NOT_FOUND": ("42000", 10072, "SemanticException [Error 10072]"),
    "UNRESOLVED_ROUTINE": ("42000", 10011, "SemanticException [Error 10011]"),
    "UNSUPPORTED_BY_LOCAL_WAREHOUSE": ("42000", 40000, "SemanticException"),
}


def hive_compile_status(personality: Personality, failure: Failure) -> t.TStatus | None:
    """Hive's answer to what fails while compiling; None when it fails while running."""
    found = _HIVE_COMPILE.get(failure.error_class.split(".")[0])
    if found is None:
        return None
    sqlstate, code, kind = found
    text = f"Error while compiling statement: FAILED: {kind} {failure.message}"
    return error_status(personality, text, sqlstate, code)


def failure_status(personality: Personality, failure: Failure) -> t.TStatus:
    """The status of an RPC that fails because its statement does."""
    if personality.name == "hive":
        status = hive_compile_status(personality, failure)
        return status or error_status(personality, failure.message, None, 1)
    text = f"Error running query: [{failure.error_class}] {failure.message}"
    if personality.databricks:
        text = (
            f"Error running query: [{failure.error_class}] "
            f"org.apache.spark.sql.AnalysisException: {failure.message}"
        )
    return error_status(personality, text, failure.sqlstate, 0, display=failure.message)


def failed(name: str, status: t.TStatus) -> Any:
    """The reply of an RPC that says only that it failed."""
    made = RESPONSES[name](status=status)
    if name == "OpenSession":
        made.serverProtocolVersion = 0
    elif name == "GetInfo":
        made.infoValue = t.TGetInfoValue(stringValue="")
    return made


# --- handles ---------------------------------------------------------------------------


def _identifier(
    guid: bytes, secret: bytes, personality: Personality
) -> t.THandleIdentifier:
    made = t.THandleIdentifier(guid=guid, secret=secret)
    if personality.databricks:
        made.executionVersion = 0
    return made


def session_handle(sess: Session, personality: Personality) -> t.TSessionHandle:
    made = t.TSessionHandle(sessionId=_identifier(sess.guid, sess.secret, personality))
    if personality.databricks:
        made.serverProtocolVersion = sess.protocol
    return made


#: Hive has compiled a statement, and so knows what it makes, before it answers.
_WITHOUT_ROWS = re.compile(
    r"\s*(alter|create|delete|drop|insert|merge|set|truncate|update|use)\b", re.I
)


def _makes_rows(op: Operation) -> bool:
    if op.outcome is not None:
        return op.outcome.kind == "query"
    return not (op.sql and _WITHOUT_ROWS.match(op.sql))


def operation_handle(op: Operation, personality: Personality) -> t.TOperationHandle:
    has_rows = personality.name != "hive" or _makes_rows(op)
    return t.TOperationHandle(
        operationId=_identifier(op.guid, op.secret, personality),
        operationType=op.kind,
        hasResultSet=has_rows,
    )


# --- status ----------------------------------------------------------------------------


def _failed_state(made: Any, op: Operation, personality: Personality) -> None:
    failure = op.failure
    if failure is None:
        return
    if personality.databricks:
        made.sqlState, made.errorCode = failure.sqlstate, 0
        made.errorMessage = trace(failure).split("\n\tat ")[0]
        made.displayMessage = failure.message
        made.diagnosticInfo = trace(failure)
    elif personality.name == "hive":
        made.errorCode, made.errorMessage = 1, failure.message
    else:
        made.sqlState, made.errorCode = failure.sqlstate, 0
        made.errorMessage = trace(failure)


def operation_status(
    op: Operation, personality: Personality
) -> t.TGetOperationStatusResp:
    made = t.TGetOperationStatusResp(status=ok(), operationState=op.state)
    if op.state == State.ERROR_STATE:
        _failed_state(made, op, personality)
    elif op.state == State.TIMEDOUT_STATE and personality.databricks:
        message = (
            "[QUERY_EXECUTION_TIMEOUT_EXCEEDED] Query execution exceeded its time limit. "
            "SQLSTATE: 57KD0"
        )
        made.sqlState, made.errorMessage, made.displayMessage = "57KD0", message, message
    if personality.databricks:
        made.idempotencyType = 0
        made.numModifiedRows = getattr(op.outcome, "affected_rows", None)
    elif personality.name == "hive":
        made.taskStatus = "[]"
        made.operationStarted = op.started_ms
        made.operationCompleted = op.completed_ms
        made.hasResultSet = _makes_rows(op)
        made.numModifiedRows = getattr(op.outcome, "affected_rows", None)
    return made


_PROGRESS = ("VERTICES", "MODE", "STATUS", "TOTAL", "COMPLETED", "RUNNING", "PENDING",
             "FAILED", "KILLED")  # fmt: skip


def progress(op: Operation) -> t.TProgressUpdateResp:
    """How far the statement is, as one line of a table and as a number from 0 to 1."""
    done = op.percent
    complete = op.state == State.FINISHED_STATE
    status = t.TJobExecutionStatus.COMPLETE if complete else (
        t.TJobExecutionStatus.IN_PROGRESS
    )
    if op.state in (State.INITIALIZED_STATE, State.PENDING_STATE):
        status = t.TJobExecutionStatus.NOT_AVAILABLE
    whole = int(done)
    row = ["Statement", "local", "SUCCEEDED" if complete else "RUNNING", "100", str(whole),
           "0" if complete else "1", str(99 - whole if whole < 99 else 0), "0", "0"]  # fmt: skip
    return t.TProgressUpdateResp(
        headerNames=list(_PROGRESS),
        rows=[row],
        progressedPercentage=done / 100,
        status=status,
        footerSummary=f"{whole}%",
        startTime=op.started_ms,
    )


# --- metadata --------------------------------------------------------------------------

_NO_FIELDS = pa.schema([]).serialize().to_pybytes()


_CHAR_TYPES = {"CHAR": t.TTypeId.CHAR_TYPE, "VARCHAR": t.TTypeId.VARCHAR_TYPE}


def _wire_type(
    column: Any, personality: Personality
) -> tuple[int, dict[str, t.TTypeQualifierValue]]:
    """Type and qualifiers.  Databricks calls a column of CHAR(n) STRING."""
    found = {}
    if column.type_id == t.TTypeId.DECIMAL_TYPE:
        found = {"precision": column.precision, "scale": column.scale}
    kind = column.type_id
    char_type = getattr(column, "char_type", "")
    if char_type and not personality.databricks:
        kind, found = _CHAR_TYPES[char_type], {"characterMaximumLength": column.length}
    return kind, {
        name: t.TTypeQualifierValue(i32Value=value) for name, value in found.items()
    }


def table_schema(columns: list, personality: Personality) -> t.TTableSchema:
    made = []
    for number, column in enumerate(columns, personality.first_position):
        kind, found = _wire_type(column, personality)
        qualifiers = None
        if found or personality.name == "spark":
            qualifiers = t.TTypeQualifiers(qualifiers=found)
        entry = t.TTypeEntry(
            primitiveEntry=t.TPrimitiveTypeEntry(type=kind, typeQualifiers=qualifiers)
        )
        comment = None if personality.name == "hive" else ""
        described = t.TTypeDesc(types=[entry])
        made.append(t.TColumnDesc(column.name, described, number, comment))
    return t.TTableSchema(columns=made)


def result_metadata(
    op: Operation,
    personality: Personality,
    spoil: Spoil | None = None,
    links: bool = False,
) -> t.TGetResultSetMetadataResp:
    """``links``: the rows that this goes with come as links."""
    made = t.TGetResultSetMetadataResp(
        status=ok(), schema=table_schema(op.columns, personality)
    )
    if not personality.databricks:
        return made
    protocol = op.session.protocol
    if protocol >= V1:
        made.resultFormat = (
            t.TSparkRowSetType.ARROW_BASED_SET
            if op.arrow
            else t.TSparkRowSetType.COLUMN_BASED_SET
        )
    if links:
        made.resultFormat = t.TSparkRowSetType.URL_BASED_SET
    if op.is_metadata:
        made.reasonForNoCloudFetch = METADATA_OPERATION
        return made
    made.lz4Compressed = op.store.lz4_frames
    if op.arrow and protocol >= V5:
        is_ddl = op.outcome is not None and op.outcome.kind == "ddl"
        made.arrowSchema = _NO_FIELDS if is_ddl else op.form.schema_message()
        if spoil is not None:
            made.arrowSchema = spoil.schema(made.arrowSchema)
    made.cacheLookupResult = 0
    made.uncompressedBytes = op.store.raw_bytes
    made.compressedBytes = op.store.wire_bytes
    made.isStagingOperation = op.outcome is not None and op.outcome.kind == "staging"
    if not op.links:
        made.reasonForNoCloudFetch = SMALL_RESULT if op.arrow else NO_ARROW
    made.cacheLookupLatency = 0
    made.truncatedByThriftLimit = False
    return made


def not_finished(op: Operation, personality: Personality) -> t.TStatus:
    """The error of asking for rows that are not there."""
    if op.failure is not None and personality.databricks:
        return failure_status(personality, op.failure)
    expected = (
        "Expected states: [FINISHED]"
        if personality.name == "hive"
        else ("Expected state FINISHED")
    )
    text = f"{expected}, but found {state_name(op.state)}"
    return error_status(personality, text, "HY000" if personality.databricks else None)
