# SPDX-License-Identifier: Apache-2.0
"""The Thrift codec: against recorded bytes, against Apache's library, against bad
input.
"""

import random

import pytest
from databricks.sql.thrift_api.TCLIService import ttypes as t
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.transport.TTransport import TMemoryBuffer

from warehouse.server import codec

SESSION = bytes(range(16)), bytes(range(16, 32))
OPERATION = bytes(range(0x40, 0x50)), bytes(range(0x50, 0x60))

OPEN_CALL = """
800100010000000b4f70656e53657373696f6e000000010c00010d00040b0b000000000a0502000000000000a5070205
05010000"""
OPEN_REPLY = """
800100020000000b4f70656e53657373696f6e000000010c00000c000108000100000000000800020000a5080c00030c
00010b000100000010000102030405060708090a0b0c0d0e0f0b000200000010101112131415161718191a1b1c1d1e1f
0000020505010000"""
EXECUTE_CALL = """
80010001000000104578656375746553746174656d656e74000000020c00010c00010c00010b00010000001000010203
0405060708090a0b0c0d0e0f0b000200000010101112131415161718191a1b1c1d1e1f00000b00020000000853454c45
43542031020004010c05010a000100000000000027100a00020000000000100000000205020102050300020504010000"""
EXECUTE_REPLY = """
80010002000000104578656375746553746174656d656e74000000020c00000c000108000100000000000c00020c0001
0b000100000010404142434445464748494a4b4c4d4e4f0b000200000010505152535455565758595a5b5c5d5e5f0008
00020000000002000301000c05010c00010c000108000100000000000800020000000100000000"""
STATUS_CALL = """
80010001000000124765744f7065726174696f6e537461747573000000030c00010c00010c00010b0001000000104041
42434445464748494a4b4c4d4e4f0b000200000010505152535455565758595a5b5c5d5e5f0008000200000000020003
0100020002000000"""
STATUS_REPLY = """
80010002000000124765744f7065726174696f6e537461747573000000030c00000c0001080001000000000008000200
0000020000"""
FETCH_CALL = """
800100010000000c4665746368526573756c7473000000040c00010c00010c00010b0001000000104041424344454647
48494a4b4c4d4e4f0b000200000010505152535455565758595a5b5c5d5e5f0008000200000000020003010008000200
0000000a000300000000000186a00a05020000000000000000020503010000"""
FETCH_REPLY = """
800100020000000c4665746368526573756c7473000000040c00000c00010800010000000000020002000c00030a0001
00000000000000000f00020c000000000f00030c000000020c00040f000108000000030000000700000000ffffffff0b
0002000000010200000c00070f00010b0000000300000001610000000000000002c3a90b000200000001020000000000"""
CLOSE_REPLY = """
800100020000000e436c6f73654f7065726174696f6e000000050c00000c0001080001000000030b0003000000053038
303030080004000000000b000500000017496e76616c6964204f7065726174696f6e48616e646c65000000"""
UNKNOWN_METHOD = """
80010003000000064e6f53756368000000070b00010000001d496e76616c6964206d6574686f64206e616d653a20274e
6f53756368270800020000000100"""

CALLS = {
    "OpenSession": OPEN_CALL,
    "ExecuteStatement": EXECUTE_CALL,
    "GetOperationStatus": STATUS_CALL,
    "FetchResults": FETCH_CALL,
}


def raw(text: str) -> bytes:
    return bytes.fromhex("".join(text.split()))


def handle() -> t.TOperationHandle:
    return t.TOperationHandle(t.THandleIdentifier(*OPERATION), 0, True)


def ok() -> t.TStatus:
    return t.TStatus(statusCode=0)


def test_requests_are_read():
    name, seqid, req = codec.decode_request(raw(OPEN_CALL))
    assert (name, seqid) == ("OpenSession", 1)
    assert req.client_protocol_i64 == 0xA507 and req.configuration == {}
    assert req.canUseMultipleCatalogs is True
    assert "client_protocol" not in req.fields_present

    _, _, req = codec.decode_request(raw(EXECUTE_CALL))
    assert req.statement == "SELECT 1" and req.runAsync is True
    assert req.sessionHandle.sessionId.guid == SESSION[0]
    assert (req.getDirectResults.maxRows, req.getDirectResults.maxBytes) == (
        10000,
        1048576,
    )
    assert req.canReadArrowResult and not req.canDownloadResult

    _, _, req = codec.decode_request(raw(FETCH_CALL))
    assert (req.maxRows, req.startRowOffset, req.includeResultSetMetadata) == (
        100000,
        0,
        True,
    )
    assert req.operationHandle.operationId.secret == OPERATION[1]


@pytest.mark.parametrize(
    ("name", "seqid", "made", "bytes_"),
    [
        (
            "OpenSession",
            1,
            lambda: t.TOpenSessionResp(
                ok(),
                0xA508,
                t.TSessionHandle(t.THandleIdentifier(*SESSION)),
                canUseMultipleCatalogs=True,
            ),
            OPEN_REPLY,
        ),
        (
            "ExecuteStatement",
            2,
            lambda: t.TExecuteStatementResp(
                ok(), handle(), t.TSparkDirectResults(t.TGetOperationStatusResp(ok(), 1))
            ),
            EXECUTE_REPLY,
        ),
        (
            "GetOperationStatus",
            3,
            lambda: t.TGetOperationStatusResp(ok(), 2),
            STATUS_REPLY,
        ),
        (
            "FetchResults",
            4,
            lambda: t.TFetchResultsResp(
                ok(),
                False,
                t.TRowSet(
                    0,
                    [],
                    columns=[
                        t.TColumn(i32Val=t.TI32Column([7, 0, -1], b"\2")),
                        t.TColumn(stringVal=t.TStringColumn(["a", "", "é"], b"\2")),
                    ],
                ),
            ),
            FETCH_REPLY,
        ),
        (
            "CloseOperation",
            5,
            lambda: t.TCloseOperationResp(
                t.TStatus(
                    3,
                    sqlState="08000",
                    errorCode=0,
                    errorMessage="Invalid OperationHandle",
                )
            ),
            CLOSE_REPLY,
        ),
    ],
)
def test_replies_are_written_byte_for_byte(name, seqid, made, bytes_):
    assert b"".join(codec.encode_reply(name, seqid, made())) == raw(bytes_)


def test_exception_is_written_byte_for_byte():
    made = codec.encode_exception("NoSuch", 7, 1, "Invalid method name: 'NoSuch'")
    assert b"".join(made) == raw(UNKNOWN_METHOD)


def test_internal_fields_are_written_and_skipped_by_the_vendors_reader():
    status = t.TGetOperationStatusResp(ok(), 2)
    status.idempotencyType = 0
    found = handle()
    found.operationId.executionVersion = 0
    made = t.TExecuteStatementResp(ok(), found, t.TSparkDirectResults(status))
    data = b"".join(codec.encode_reply("ExecuteStatement", 1, made))
    assert b"\x06\x0d\x01\x00\x00" in data and b"\x08\x0d\x02\x00\x00\x00\x00" in data

    from databricks.sql.thrift_api.TCLIService import TCLIService

    client = TCLIService.Client(TBinaryProtocol(TMemoryBuffer(data)))
    read = client.recv_ExecuteStatement()
    assert read.directResults.operationStatus.operationState == 2
    assert read.operationHandle.operationId.guid == OPERATION[0]


def test_ready_made_lists_equal_lists_of_values():
    plain = t.TColumn(i64Val=t.TI64Column([1, 2], b""))
    made = codec.RawList(10, 2, [b"\0\0\0\0\0\0\0\1", b"\0\0\0\0\0\0\0\2"])
    ready = t.TColumn(i64Val=t.TI64Column(made, b""))
    one, two = [], []
    codec.write_struct(one, plain)
    codec.write_struct(two, ready)
    assert b"".join(one) == b"".join(two)


def test_long_values_are_not_copied():
    batch = bytes(100_000)
    rows = t.TRowSet(0, [], arrowBatches=[t.TSparkArrowBatch(batch, 5)])
    made = codec.encode_reply("FetchResults", 1, t.TFetchResultsResp(ok(), False, rows))
    assert any(part is batch for part in made)


def test_unknown_fields_and_wrong_types_are_skipped():
    extra = bytes.fromhex(
        "0f0d01"
        "0d"
        "00000001"
        "0b0a"
        "00000001"
        "00000001"
        "61"
        + "00"
        * 8  # list<map>
        + "0c0d02"
        "080001"
        "00000005"
        "0c0002"
        "00"
        "00"  # struct in struct
         + "0b0003"
        "00000002"
        "6869"  # maxRows as a string
    )
    data = raw(FETCH_CALL)
    _, _, req = codec.decode_request(data[:-2] + extra + data[-2:])
    assert req.maxRows == 100000


def test_missing_required_field_is_named():
    data = raw(FETCH_CALL).replace(bytes.fromhex("0a000300000000000186a0"), b"")
    with pytest.raises(codec.MissingField, match="Required field 'maxRows' is unset"):
        codec.decode_request(data)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello, world",
        raw(OPEN_CALL)[:-3],
        raw(OPEN_CALL).replace(b"\x80\x01\x00\x01", b"\x80\x01\x00\x02", 1),
        raw(EXECUTE_CALL).replace(b"\x00\x00\x00\x08SELECT", b"\x7f\xff\xff\xffSELECT"),
        raw(EXECUTE_CALL).replace(b"\x00\x00\x00\x08SELECT", b"\xff\xff\xff\xffSELECT"),
        raw(OPEN_CALL)[:23] + b"\x0c\x00\x01" + b"\x0c\x00\x63" * 100_000,
        raw(OPEN_CALL)[:23] + b"\x0f\x00\x63\x0c\x7f\xff\xff\xff",
        raw(OPEN_CALL)[:23] + b"\x0f\x00\x63\x63\x00\x00\x00\x01",
    ],
)
def test_bad_bytes_are_an_error_and_nothing_worse(body):
    with pytest.raises(codec.CodecError):
        codec.decode_request(body)


def test_mutated_requests_never_do_worse_than_an_error():
    generator = random.Random(7)
    for text in CALLS.values():
        whole = raw(text)
        for _ in range(400):
            data = bytearray(whole)
            for _ in range(generator.randint(1, 6)):
                data[generator.randrange(len(data))] = generator.randrange(256)
            try:
                codec.decode_request(bytes(data))
            except (codec.CodecError, codec.MissingField):
                pass
