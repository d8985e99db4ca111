# SPDX-License-Identifier: Apache-2.0
"""The tables of src/wire/tcli.c and the enumerations of tcli.h against those that ship in
databricks-sql-connector, which are generated from the service's own IDL.

The tables are plain data without a dependency, so they are compiled here together with the
program that prints them; no build folder has to be there or up to date.
"""

import os
import pathlib
import re
import subprocess
from typing import NamedTuple

import pytest
from databricks.sql.thrift_api.TCLIService import ttypes
from thrift.protocol.TProtocol import TProtocolException
from thrift.Thrift import TType

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Ids from here on are reserved for Databricks' own components; drivers neither send nor
# need them.
FIRST_INTERNAL_ID = 3329

STRUCTS_LEFT_OUT = {
    # Kerberos only; no driver calls these.
    "TGetDelegationTokenReq",
    "TGetDelegationTokenResp",
    "TCancelDelegationTokenReq",
    "TCancelDelegationTokenResp",
    "TRenewDelegationTokenReq",
    "TRenewDelegationTokenResp",
    # Used by internal fields alone.
    "TDBSqlResultFormat",
    "TDBSqlArrowFormat",
    "TDBSqlCsvFormat",
    "TDBSqlJsonArrayFormat",
}


class Row(NamedTuple):
    id: int
    type: int
    element: int
    required: bool
    struct: str | None
    name: str


@pytest.fixture(scope="module")
def ours(tmp_path_factory) -> dict[str, list[Row]]:
    program = tmp_path_factory.mktemp("tcli") / "dump_tcli"
    sources = ["tests/tools/dump_tcli.c", "src/wire/tcli.c"]
    compiler = [os.environ.get("CC", "cc"), "-std=c17", "-Isrc", "-o", str(program)]
    subprocess.run(compiler + sources, cwd=ROOT, check=True)
    printed = subprocess.run([program], check=True, capture_output=True, text=True)
    tables: dict[str, list[Row]] = {}
    for line in printed.stdout.splitlines():
        struct, number, wire, element, required, sub, name = line.split()
        row = Row(
            int(number),
            int(wire),
            int(element),
            required == "1",
            None if sub == "-" else sub,
            name,
        )
        tables.setdefault(struct, []).append(row)
    return tables


def required_names(cls: type) -> set[str]:
    """The fields that the generated validate() insists on."""
    message = cls()
    for spec in cls.thrift_spec:
        if spec:
            setattr(message, spec[2], None)
    names: set[str] = set()
    while True:
        try:
            message.validate()
            return names
        except TProtocolException as error:
            name = re.fullmatch(r"Required field (\w+) is unset!", error.message).group(1)
            assert name not in names
            names.add(name)
            setattr(message, name, object())


def contents(wire: int, args) -> tuple[int, str | None]:
    """Element type and name of the struct within of a field's generated type arguments."""
    if wire == TType.STRUCT:
        return 0, args[0].__name__
    if wire == TType.LIST:
        element, detail = args[0], args[1]
    elif wire == TType.MAP:
        assert args[0] == TType.STRING, "the codec knows maps with string keys only"
        element, detail = args[2], args[3]
    else:
        return 0, None
    return element, detail[0].__name__ if element == TType.STRUCT else None


def their_rows(cls: type) -> list[Row]:
    required = required_names(cls)
    rows = []
    for spec in cls.thrift_spec:
        if not spec or spec[0] >= FIRST_INTERNAL_ID:
            continue
        number, wire, name, args, _default = spec
        element, sub = contents(wire, args)
        rows.append(Row(number, wire, element, name in required, sub, name))
    return rows


def their_structs() -> dict[str, type]:
    return {
        name: cls
        for name, cls in vars(ttypes).items()
        if isinstance(cls, type) and hasattr(cls, "thrift_spec") and name.startswith("T")
    }


def test_same_structs(ours):
    theirs = set(their_structs())
    assert STRUCTS_LEFT_OUT <= theirs
    assert set(ours) == theirs - STRUCTS_LEFT_OUT


@pytest.mark.parametrize("struct", sorted(set(their_structs()) - STRUCTS_LEFT_OUT))
def test_same_rows(ours, struct):
    assert ours[struct] == their_rows(their_structs()[struct])


# enum in tcli.h: prefix of its constants, the service's enumeration, what the service's
# names carry around what is ours.
ENUMS = {
    "lb_t_status_code": ("LB_T_STATUS_", ttypes.TStatusCode, r"(\w+)_STATUS"),
    "lb_t_operation_state": ("LB_T_STATE_", ttypes.TOperationState, r"(\w+)_STATE"),
    "lb_t_operation_type": ("LB_T_OPERATION_", ttypes.TOperationType, r"(\w+)"),
    "lb_t_type_id": ("LB_T_TYPE_", ttypes.TTypeId, r"(\w+)_TYPE"),
    "lb_t_row_set_type": ("LB_T_ROW_SET_", ttypes.TSparkRowSetType, r"(\w+)_BASED_SET"),
    "lb_t_fetch_orientation": ("LB_T_", ttypes.TFetchOrientation, r"(\w+)"),
    "lb_t_job_execution_status": ("LB_T_JOB_", ttypes.TJobExecutionStatus, r"(\w+)"),
    "lb_t_get_info_type": ("LB_T_INFO_", ttypes.TGetInfoType, r"CLI_(\w+)"),
    "lb_t_cache_lookup_result": ("LB_T_CACHE_", ttypes.TCacheLookupResult, r"(\w+)"),
    "lb_t_protocol_version": (
        "LB_T_PROTOCOL_",
        ttypes.TProtocolVersion,
        r"((?:HIVE|SPARK)_CLI_SERVICE_PROTOCOL_V\d+)",
    ),
}

# Theirs -> ours, where ours is not the same word.
RENAMED = {
    "UKNOWN": "UNKNOWN",
    "CACHE_INELIGIBLE": "INELIGIBLE",
    "LOCAL_CACHE_HIT": "LOCAL_HIT",
    "REMOTE_CACHE_HIT": "REMOTE_HIT",
    "CACHE_MISS": "MISS",
}

# Constants of newer Hive servers, which the connector does not know.
OURS_ALONE = {"lb_t_type_id": {"TIMESTAMP_LOCAL_TZ": 22}}

# A driver asks for three of fifty.
OURS_IN_PART = {"lb_t_get_info_type"}


def our_enums() -> dict[str, dict[str, int]]:
    header = (ROOT / "src/wire/tcli.h").read_text()
    found = {}
    for name, body in re.findall(r"^enum (\w+) \{(.*?)^\};", header, re.S | re.M):
        pairs = re.findall(r"(LB_T_\w+) = (0x[0-9A-Fa-f]+|\d+)", body)
        found[name] = {constant: int(number, 0) for constant, number in pairs}
    return found


def test_same_enums():
    assert set(our_enums()) == set(ENUMS)


@pytest.mark.parametrize("enum", sorted(ENUMS))
def test_same_constants(enum):
    prefix, cls, pattern = ENUMS[enum]
    theirs = {}
    for name, number in cls._NAMES_TO_VALUES.items():
        match = re.fullmatch(pattern, name)
        if match:
            word = match.group(1).replace("_CLI_SERVICE_PROTOCOL", "")
            theirs[RENAMED.get(word, word)] = number
    ours = {name.removeprefix(prefix): number for name, number in our_enums()[enum].items()}
    if enum in OURS_IN_PART:
        theirs = {name: number for name, number in theirs.items() if name in ours}
    assert ours == theirs | OURS_ALONE.get(enum, {})
