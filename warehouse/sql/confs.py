# SPDX-License-Identifier: Apache-2.0
"""Session settings: which there are, what they may hold."""

from __future__ import annotations

import re

import duckdb

from .errors import SqlError

DEFAULT_ZONE = "Etc/UTC"

# name: (default, meaning)
KNOWN = {
    "ANSI_MODE": ("true", "Whether bad input is an error (true) or NULL (false)."),
    "ENABLE_PHOTON": ("true", "Accepted; the local warehouse has one engine."),
    "LEGACY_TIME_PARSER_POLICY": ("EXCEPTION", "Accepted and not used."),
    "MAX_FILE_PARTITION_BYTES": ("128m", "Accepted and not used."),
    "READ_ONLY_EXTERNAL_METASTORE": ("false", "Accepted and not used."),
    "STATEMENT_TIMEOUT": (
        "0",
        "Seconds a statement may run, 0: no limit (the server keeps it).",
    ),
    "TIMEZONE": (DEFAULT_ZONE, "The session's time zone."),
    "USE_CACHED_RESULT": ("true", "Accepted; the local warehouse caches no results."),
    "QUERY_TAGS": ("", "Kept; the control port shows them."),
}

_SAME = {
    "SPARK.SQL.SESSION.TIMEZONE": "TIMEZONE",
    "SPARK.SQL.ANSI.ENABLED": "ANSI_MODE",
}


def canonical(key: str) -> str | None:
    """The name a setting is kept under, or None when there is no such setting."""
    upper = key.strip().upper()
    if upper in _SAME:
        return _SAME[upper]
    if upper in KNOWN:
        return upper
    return (
        key.strip()
        if re.match(r"(?i)(spark|hive|databricks|set:|use:)", key.strip())
        else None
    )


def _bad(key: str, value: str, why: str) -> SqlError:
    return SqlError(
        "INVALID_CONF_VALUE.REQUIREMENT"
        if key != "TIMEZONE"
        else "INVALID_CONF_VALUE.TIME_ZONE",
        "22022",
        f"The value '{value}' in the config \"{key}\" is invalid. {why}",
    )


def checked(engine, key: str, value: str) -> tuple[str, str]:
    name = canonical(key)
    if name is None:
        raise SqlError(
            "CONFIG_NOT_AVAILABLE", "42K0I", f"Configuration {key} is not available."
        )
    value = str(value).strip()
    if name == "TIMEZONE":
        _check_zone(engine, value)
    if name == "ANSI_MODE" and value.lower() not in ("true", "false"):
        raise _bad(name, value, "It has to be true or false.")
    if name == "STATEMENT_TIMEOUT" and not re.fullmatch(r"\d+(\.\d+)?", value):
        raise _bad(name, value, "It has to be a number of seconds.")
    return name, value


def duck_zone(zone: str) -> str:
    """DuckDB knows region names only; whole hours have one (with the sign turned)."""
    m = re.fullmatch(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?00)?", zone)
    if m:
        hours = int(m[2])
        return "UTC" if hours == 0 else f"Etc/GMT{'-' if m[1] == '+' else '+'}{hours}"
    return "UTC" if zone.upper() == "Z" else zone


def _check_zone(engine, zone: str) -> None:
    con = engine.cursor()
    try:
        con.execute("SET TimeZone = '" + duck_zone(zone).replace("'", "''") + "'")
    except duckdb.Error:
        raise _bad(
            "TIMEZONE",
            zone,
            "Cannot resolve the given timezone. Use a region such as Europe/Berlin, or UTC, "
            "or an offset of whole hours such as +02:00.",
        ) from None
    finally:
        con.close()
