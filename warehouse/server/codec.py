# SPDX-License-Identifier: Apache-2.0
"""Thrift's strict binary protocol, driven by the vendor's own field tables.

Field ids and types come from ``thrift_spec`` of the generated ``TCLIService`` classes, so
nothing is typed here by hand.  Why not the generated ``read``/``write``:

* real servers send internal fields (ids from 3329 up) that the public classes do not
  have; ``INTERNAL_FIELDS`` adds them without touching the vendor's classes;
* column values and Arrow batches are large: they are written as ready bytes (``RawList``,
  ``bytes``) and gathered, never copied into one buffer;
* requests come from strangers: every length is bounded by what remains, nesting by
  ``MAX_DEPTH``, and a mistake is a ``CodecError``, not a crash of a C extension.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

from databricks.sql.thrift_api.TCLIService import TCLIService, ttypes
from thrift.protocol.TProtocol import TProtocolException
from thrift.Thrift import TType

CALL, REPLY, EXCEPTION, ONEWAY = 1, 2, 3, 4

UNKNOWN_METHOD = 1
INVALID_MESSAGE_TYPE = 2
INTERNAL_ERROR = 6
PROTOCOL_ERROR = 7

MAX_DEPTH = 64
#: Smallest size in bytes of one element, to bound counts by what remains.
MIN_SIZE = {
    TType.BOOL: 1,
    TType.BYTE: 1,
    TType.DOUBLE: 8,
    TType.I16: 2,
    TType.I32: 4,
    TType.I64: 8,
    TType.STRING: 4,
    TType.STRUCT: 1,
    TType.MAP: 6,
    TType.SET: 5,
    TType.LIST: 5,
    16: 16,
}

_VERSION_1 = 0x80010000
_I16 = struct.Struct(">h")
_I32 = struct.Struct(">i")
_I64 = struct.Struct(">q")
_F64 = struct.Struct(">d")
_FIELD = struct.Struct(">bh")
_LIST = struct.Struct(">bi")
_MAP = struct.Struct(">bbi")

#: Internal fields by struct: attribute -> (id, type).  Written when the attribute is set.
INTERNAL_FIELDS: dict[type, dict[str, tuple[int, int]]] = {
    ttypes.THandleIdentifier: {"executionVersion": (3329, TType.I16)},
    ttypes.TSessionHandle: {"serverProtocolVersion": (3329, TType.I32)},
    ttypes.TGetOperationStatusResp: {"idempotencyType": (3330, TType.I32)},
    ttypes.TGetResultSetMetadataResp: {
        "reasonForNoCloudFetch": (3329, TType.I32),
        "cacheLookupLatency": (3333, TType.I64),
        "truncatedByThriftLimit": (3345, TType.BOOL),
    },
}

METHODS = tuple(sorted(TCLIService.Processor(None)._processMap))
ARGS = {name: getattr(TCLIService, name + "_args") for name in METHODS}
RESULTS = {name: getattr(TCLIService, name + "_result") for name in METHODS}


class CodecError(Exception):
    """The bytes are not a message of this protocol."""


class MissingField(Exception):
    """A well-formed struct lacks a required field."""


class RawList:
    """A list value already encoded: element type, number of elements, their bytes."""

    __slots__ = ("element", "count", "parts")

    def __init__(self, element: int, count: int, parts: Iterable[bytes]):
        self.element = element
        self.count = count
        self.parts = list(parts)


class Encoded:
    """A struct already encoded, its end included."""

    __slots__ = ("parts",)

    def __init__(self, parts: Iterable[bytes | memoryview]):
        self.parts = list(parts)


class _Fields:
    """The vendor's table of one struct, indexed by field id."""

    __slots__ = ("by_id", "ordered", "validate")

    def __init__(self, cls: type):
        spec = [entry for entry in (cls.thrift_spec or ()) if entry is not None]
        self.by_id = {entry[0]: entry for entry in spec}
        extra = [
            (fid, ftype, name, None, None)
            for name, (fid, ftype) in INTERNAL_FIELDS.get(cls, {}).items()
        ]
        self.ordered = sorted(spec + extra, key=lambda entry: entry[0])
        self.validate = getattr(cls, "validate", None)


_TABLES: dict[type, _Fields] = {}


def _fields(cls: type) -> _Fields:
    table = _TABLES.get(cls)
    if table is None:
        table = _TABLES[cls] = _Fields(cls)
    return table


# --- reading ---------------------------------------------------------------------------


class Reader:
    """Reads one request body."""

    def __init__(self, data: bytes):
        self.data = data
        self.at = 0
        self.end = len(data)

    def _take(self, size: int) -> int:
        at = self.at
        if size < 0 or size > self.end - at:
            raise CodecError(f"{size} bytes announced, {self.end - at} left")
        self.at = at + size
        return at

    def _byte(self) -> int:
        return self.data[self._take(1)]

    def _i32(self) -> int:
        return _I32.unpack_from(self.data, self._take(4))[0]

    def _binary(self) -> bytes:
        at = self._take(self._i32())
        return self.data[at : self.at]

    def _count(self, element: int) -> int:
        count = self._i32()
        size = MIN_SIZE.get(element)
        if size is None:
            if count == 0:
                return 0
            raise CodecError(f"unknown element type {element}")
        if count < 0 or count * size > self.end - self.at:
            raise CodecError(
                f"{count} elements announced, {self.end - self.at} bytes left"
            )
        return count

    def message(self) -> tuple[str, int, int]:
        """The header: method name, message type, sequence id."""
        word = self._i32() & 0xFFFFFFFF
        if word & 0xFFFF0000 != _VERSION_1:
            raise CodecError("not a strict binary protocol message")
        name = self._binary()
        if len(name) > 256:
            raise CodecError("method name too long")
        return name.decode("utf-8", "replace"), word & 0xFF, self._i32()

    def struct(self, cls: type, depth: int = 0) -> Any:
        if depth > MAX_DEPTH:
            raise CodecError("nested too deeply")
        table = _fields(cls)
        found = cls()
        present = set()
        while True:
            ftype = self._byte()
            if ftype == TType.STOP:
                break
            fid = _I16.unpack_from(self.data, self._take(2))[0]
            entry = table.by_id.get(fid)
            if entry is None or entry[1] != ftype:
                self.skip(ftype, depth + 1)
                continue
            setattr(found, entry[2], self.value(ftype, entry[3], depth + 1))
            present.add(entry[2])
        found.fields_present = present
        if table.validate is not None:
            try:
                found.validate()
            except TProtocolException as error:
                text = str(error.message or error).replace("Required field ", "")
                name = text.split(" ")[0]
                raise MissingField(
                    f"Required field '{name}' is unset! Struct:{cls.__name__}"
                ) from None
        return found

    def value(self, ftype: int, args: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise CodecError("nested too deeply")
        if ftype == TType.STRING:
            raw = self._binary()
            return raw if args == "BINARY" else raw.decode("utf-8", "replace")
        if ftype == TType.STRUCT:
            return self.struct(args[0], depth)
        if ftype == TType.BOOL:
            return self._byte() != 0
        if ftype == TType.I32:
            return self._i32()
        if ftype == TType.I64:
            return _I64.unpack_from(self.data, self._take(8))[0]
        if ftype == TType.I16:
            return _I16.unpack_from(self.data, self._take(2))[0]
        if ftype == TType.BYTE:
            return int.from_bytes(self.data[self._take(1) : self.at], "big", signed=True)
        if ftype == TType.DOUBLE:
            return _F64.unpack_from(self.data, self._take(8))[0]
        if ftype in (TType.LIST, TType.SET):
            return self._list(args, depth)
        if ftype == TType.MAP:
            return self._map(args, depth)
        raise CodecError(f"unknown type {ftype}")

    def _list(self, args: Any, depth: int) -> list:
        element = self._byte()
        count = self._count(element)
        if element != args[0]:
            for _ in range(count):
                self.skip(element, depth + 1)
            return []
        return [self.value(element, args[1], depth + 1) for _ in range(count)]

    def _map(self, args: Any, depth: int) -> dict:
        ktype, vtype = self._byte(), self._byte()
        count = self._count(ktype)
        if count and vtype not in MIN_SIZE:
            raise CodecError(f"unknown element type {vtype}")
        if (ktype, vtype) != (args[0], args[2]):
            for _ in range(count):
                self.skip(ktype, depth + 1)
                self.skip(vtype, depth + 1)
            return {}
        found = {}
        for _ in range(count):
            key = self.value(ktype, args[1], depth + 1)
            found[key] = self.value(vtype, args[3], depth + 1)
        return found

    def skip(self, ftype: int, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise CodecError("nested too deeply")
        if ftype == TType.STRING:
            self._take(self._i32())
        elif ftype == TType.STRUCT:
            while (inner := self._byte()) != TType.STOP:
                self._take(2)
                self.skip(inner, depth + 1)
        elif ftype in (TType.LIST, TType.SET):
            element = self._byte()
            for _ in range(self._count(element)):
                self.skip(element, depth + 1)
        elif ftype == TType.MAP:
            ktype, vtype = self._byte(), self._byte()
            for _ in range(self._count(ktype)):
                self.skip(ktype, depth + 1)
                self.skip(vtype, depth + 1)
        elif ftype in MIN_SIZE:
            self._take(MIN_SIZE[ftype])
        else:
            raise CodecError(f"unknown type {ftype}")


# --- writing ---------------------------------------------------------------------------


def write_struct(out: list[bytes], value: Any) -> None:
    """Append the encoded struct to ``out``; long values are appended as they are."""
    for fid, ftype, name, args, _default in _fields(type(value)).ordered:
        item = getattr(value, name, None)
        if item is None:
            continue
        out.append(_FIELD.pack(ftype, fid))
        write_value(out, ftype, args, item)
    out.append(b"\0")


def write_value(out: list[bytes], ftype: int, args: Any, item: Any) -> None:
    if ftype == TType.STRING:
        raw = (
            item
            if isinstance(item, (bytes, memoryview))
            else item.encode("utf-8", "replace")
        )
        out.append(_I32.pack(len(raw)))
        out.append(raw)
    elif ftype == TType.STRUCT:
        if isinstance(item, Encoded):
            out.extend(item.parts)
        else:
            write_struct(out, item)
    elif ftype == TType.I32:
        out.append(_I32.pack(item))
    elif ftype == TType.I64:
        out.append(_I64.pack(item))
    elif ftype == TType.BOOL:
        out.append(b"\1" if item else b"\0")
    elif ftype in (TType.LIST, TType.SET):
        if isinstance(item, RawList):
            out.append(_LIST.pack(item.element, item.count))
            out.extend(item.parts)
        else:
            out.append(_LIST.pack(args[0], len(item)))
            for element in item:
                write_value(out, args[0], args[1], element)
    elif ftype == TType.MAP:
        out.append(_MAP.pack(args[0], args[2], len(item)))
        for key, element in item.items():
            write_value(out, args[0], args[1], key)
            write_value(out, args[2], args[3], element)
    elif ftype == TType.I16:
        out.append(_I16.pack(item))
    elif ftype == TType.BYTE:
        out.append(struct.pack(">b", item))
    elif ftype == TType.DOUBLE:
        out.append(_F64.pack(item))
    else:
        raise TypeError(f"cannot write type {ftype}")


def _header(name: str, mtype: int, seqid: int) -> bytes:
    raw = name.encode("utf-8", "replace")
    return (
        struct.pack(">Ii", _VERSION_1 | mtype, len(raw)) + raw + struct.pack(">i", seqid)
    )


def _join_small(parts: list[bytes]) -> list[bytes]:
    """Glue neighbours together so that only long values stay chunks of their own."""
    joined: list[bytes] = []
    small: list[bytes] = []
    for part in parts:
        if len(part) < 65536:
            small.append(part)
            continue
        if small:
            joined.append(b"".join(small))
            small = []
        joined.append(part)
    if small:
        joined.append(b"".join(small))
    return joined


def encode_reply(name: str, seqid: int, response: Any) -> list[bytes]:
    """A REPLY message as a list of chunks."""
    out = [_header(name, REPLY, seqid), _FIELD.pack(TType.STRUCT, 0)]
    write_struct(out, response)
    out.append(b"\0")
    return _join_small(out)


def encode_exception(name: str, seqid: int, kind: int, message: str) -> list[bytes]:
    """An EXCEPTION message (TApplicationException)."""
    raw = message.encode("utf-8", "replace")
    return [
        _header(name, EXCEPTION, seqid)
        + _FIELD.pack(TType.STRING, 1)
        + _I32.pack(len(raw))
        + raw
        + _FIELD.pack(TType.I32, 2)
        + _I32.pack(kind)
        + b"\0"
    ]


def cut_seqid(data: bytes) -> tuple[bytes, bytes, int]:
    """A message without its sequence id, that id, and where it stands."""
    if len(data) < 12:
        raise CodecError("no message")
    at = 8 + _I32.unpack_from(data, 4)[0]
    return data[:at] + data[at + 4 :], data[at : at + 4], at


def decode_request(data: bytes) -> tuple[str, int, Any]:
    """Method name, sequence id and request struct of a CALL; None for an unknown method.

    Raises CodecError for bytes that are no such message, MissingField for a request
    without a required field.
    """
    reader = Reader(data)
    name, mtype, seqid = reader.message()
    if mtype not in (CALL, ONEWAY):
        raise CodecError(f"message type {mtype} instead of a call")
    args = ARGS.get(name)
    if args is None:
        return name, seqid, None
    wrapper = reader.struct(args)
    if wrapper.req is None:
        raise MissingField(f"Required field 'req' is unset! Struct:{name}_args")
    return name, seqid, wrapper.req


def peek(data: bytes) -> tuple[str, int]:
    """Method name and sequence id of a message whose body cannot be read; ("", 0) if
    none.
    """
    try:
        name, _mtype, seqid = Reader(data).message()
    except CodecError:
        return "", 0
    return name, seqid
