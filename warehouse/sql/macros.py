# SPDX-License-Identifier: Apache-2.0
"""DuckDB macros behind the casts: text read and written as Databricks does."""

from __future__ import annotations

import re

from .errors import MARK

_NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
_SPACE = r"' ' || chr(9) || chr(10) || chr(13)"
_DAY = r"\d{4,6}-\d{1,2}-\d{1,2}"
_CLOCK = r"[T ]\d{1,2}:\d{1,2}(:\d{1,2}(\.\d{0,9})?)?"
_ZONE = r"\s*(Z|UTC|GMT|[+-]\d{1,2}(:\d{2})?|[A-Za-z]+/[A-Za-z_/+-]+\d*)"


def _bad(target: str) -> str:
    return f"error('{MARK}cast|' || {target} || '|' || x || '|]]')"


def _checked(pattern: str, value: str, target: str) -> str:
    return (
        f"CASE WHEN x IS NULL THEN NULL WHEN regexp_full_match(trim(x, {_SPACE}), "
        f"'{pattern}') THEN {value} ELSE {_bad(target)} END"
    )


_TRIMMED = f"trim(x, {_SPACE})"
# A date may be a year or a year and a month; the missing parts are 1.
_WHOLE = (
    f"CASE length(regexp_replace({_TRIMMED}, '[^-]', '', 'g')) WHEN 0 THEN {_TRIMMED} || "
    f"'-01-01' WHEN 1 THEN {_TRIMMED} || '-01' ELSE {_TRIMMED} END"
)
_SHORT = r"\d{4,6}(-\d{1,2})?"

_FLOAT_TEXT = (
    "CASE WHEN s IS NULL OR s IN ('0.0', '-0.0') THEN s "
    "WHEN s IN ('nan', '-nan') THEN 'NaN' WHEN s = 'inf' THEN 'Infinity' "
    "WHEN s = '-inf' THEN '-Infinity' "
    "ELSE (CASE WHEN s LIKE '-%' THEN '-' ELSE '' END) || {lib}.lb_float_digits("
    "split_part(ltrim(s, '-'), 'e', 1), "
    "coalesce(TRY_CAST(nullif(split_part(s, 'e', 2), '') AS INTEGER), 0)) END"
)
# all = every digit without leading zeros; e10 = exponent of its first digit
_FLOAT_DIGITS = (
    "{lib}.lb_float_form("
    "rtrim(ltrim(replace(m, '.', ''), '0'), '0'), "
    "CASE WHEN ltrim(split_part(m, '.', 1), '0') <> '' "
    "THEN length(ltrim(split_part(m, '.', 1), '0')) - 1 + ex "
    "ELSE ex - 1 - (length(split_part(m, '.', 2)) - "
    "length(ltrim(split_part(m, '.', 2), '0'))) END)"
)
_FLOAT_FORM = (
    "CASE WHEN e10 BETWEEN 0 AND 6 THEN rpad(substr(d, 1, e10 + 1), "
    "CAST(e10 + 1 AS INTEGER), '0') || '.' "
    "|| (CASE WHEN length(d) > e10 + 1 THEN substr(d, e10 + 2) ELSE '0' END) "
    "WHEN e10 BETWEEN -3 AND -1 THEN '0.' || repeat('0', -e10 - 1) || d "
    "ELSE substr(d, 1, 1) || '.' || (CASE WHEN length(d) > 1 THEN substr(d, 2) "
    "ELSE '0' END) || 'E' || e10 END"
)
_DT_CLOCK = (
    "lpad(CAST(u // 3600000000 % 24 AS VARCHAR), 2, '0') || ':' || "
    "lpad(CAST(u // 60000000 % 60 AS VARCHAR), 2, '0') || ':' || "
    "lpad(CAST(u // 1000000 % 60 AS VARCHAR), 2, '0') || (CASE WHEN u % 1000000 = 0 "
    "THEN '' ELSE '.' || rtrim(lpad(CAST(u % 1000000 AS VARCHAR), 6, '0'), '0') END)"
)
_DECIMAL_POINT = (
    "(CASE WHEN r < 0 THEN '-' ELSE '' END) || (CASE WHEN s = 0 THEN CAST(abs(r) AS "
    "VARCHAR) ELSE left(lpad(CAST(abs(r) AS VARCHAR), CAST(greatest(s + 1, "
    "length(CAST(abs(r) AS VARCHAR))) AS INTEGER), '0'), -s) || '.' || "
    "right(lpad(CAST(abs(r) AS VARCHAR), greatest(s + 1, 40), '0'), s) END)"
)

MACROS = {
    "lb_text_int(x, name)": _checked(
        r"[+-]?\d+", f"coalesce(TRY_CAST({_TRIMMED} AS BIGINT), {_bad('name')})", "name"
    ),
    "lb_text_double(x, name)": _checked(
        _NUMBER + "[dDfF]?|[+-]?(?i:nan|inf|infinity)",
        f"CAST(rtrim(CASE WHEN lower({_TRIMMED}) LIKE '%inf%' THEN {_TRIMMED} ELSE "
        f"rtrim({_TRIMMED}, 'dDfF') END, ' ') AS DOUBLE)",
        "name",
    ),
    "lb_text_decimal(x, name)": _checked(_NUMBER, _TRIMMED, "name"),
    "lb_text_boolean(x)": (
        f"CASE WHEN x IS NULL THEN NULL WHEN lower({_TRIMMED}) IN "
        "('t', 'true', 'y', 'yes', '1') THEN true "
        f"WHEN lower({_TRIMMED}) IN ('f', 'false', 'n', 'no', '0') THEN false "
        f"ELSE {_bad(chr(39) + 'BOOLEAN' + chr(39))} END"
    ),
    "lb_text_date(x)": _checked(
        f"{_SHORT}|{_DAY}([T ].*)?",
        f"coalesce(TRY_CAST(regexp_replace({_WHOLE}, '[T ].*$', '') AS DATE), "
        f"{_bad(chr(39) + 'DATE' + chr(39))})",
        "'DATE'",
    ),
    "lb_text_timestamp(x)": _checked(
        f"{_SHORT}|{_DAY}({_CLOCK}({_ZONE})?)?",
        f"CAST(CASE WHEN {_TRIMMED} LIKE '%:%' THEN regexp_replace({_TRIMMED}, "
        "'(:\\d{1,2}\\.\\d{1,6})\\d*', '\\1') ELSE "
        f"{_WHOLE} END AS TIMESTAMPTZ)",
        "'TIMESTAMP'",
    ),
    "lb_text_ntz(x)": _checked(
        f"{_SHORT}|{_DAY}({_CLOCK}({_ZONE})?)?",
        f"CAST(CASE WHEN {_TRIMMED} LIKE '%:%' THEN regexp_replace(regexp_replace("
        f"{_TRIMMED}, '{_ZONE}$', ''), '(:\\d{{1,2}}\\.\\d{{1,6}})\\d*', '\\1') ELSE "
        f"{_WHOLE} END AS TIMESTAMP)",
        "'TIMESTAMP_NTZ'",
    ),
    "lb_float_form(d, e10)": _FLOAT_FORM,
    "lb_float_digits(m, ex)": _FLOAT_DIGITS,
    "lb_float_text(s)": _FLOAT_TEXT,
    "lb_ym_text(m, name)": (
        "CASE WHEN m IS NULL THEN NULL WHEN name = 'INTERVAL YEAR' THEN 'INTERVAL ''' || "
        "(m // 12) || ''' YEAR' WHEN name = 'INTERVAL MONTH' THEN 'INTERVAL ''' || m || "
        "''' MONTH' ELSE 'INTERVAL ''' || (CASE WHEN m < 0 THEN '-' ELSE '' END) || "
        "(abs(m) // 12) || '-' || (abs(m) % 12) || ''' YEAR TO MONTH' END"
    ),
    "lb_dt_clock(u)": _DT_CLOCK,
    "lb_dt_text(u)": (
        "'INTERVAL ''' || (CASE WHEN u < 0 THEN '-' ELSE '' END) || "
        "(abs(u) // 86400000000) || ' ' || {lib}.lb_dt_clock(abs(u)) || "
        "''' DAY TO SECOND'"
    ),
    # time + day-time interval: whole days follow the calendar, the rest the clock
    "lb_shift(x, u)": "x + to_days(CAST(u // 86400000000 AS INTEGER)) + "
    "to_microseconds(u % 86400000000)",
    "lb_half_up(n, d)": (
        "(n // d) + (CASE WHEN abs(n % d) * 2 >= abs(d) THEN (CASE WHEN (n < 0) = (d < 0) "
        "THEN 1 ELSE -1 END) ELSE 0 END)"
    ),
    "lb_point(r, s)": _DECIMAL_POINT,
    "lb_unscaled(x)": "CAST(replace(CAST(x AS VARCHAR), '.', '') AS HUGEINT)",
    "lb_array_at(a, i)": (
        "CASE WHEN a IS NULL OR i IS NULL THEN NULL WHEN i < 0 OR i >= len(a) THEN "
        f"error('{MARK}index|' || i || '|' || len(a) || '|]]') ELSE a[i + 1] END"
    ),
    "lb_element_at(a, i)": (
        "CASE WHEN a IS NULL OR i IS NULL THEN NULL WHEN i = 0 OR abs(i) > len(a) THEN "
        f"error('{MARK}index|' || i || '|' || len(a) || '|]]') ELSE a[i] END"
    ),
    # three-valued: not found among NULLs is NULL
    "lb_contains(a, v)": (
        "CASE WHEN a IS NULL OR v IS NULL THEN NULL WHEN list_contains(a, v) THEN true "
        "WHEN list_count(a) <> len(a) THEN NULL ELSE false END"
    ),
    "lb_all(a, v)": (
        "CASE WHEN a IS NULL THEN NULL WHEN list_contains(a, v) THEN false "
        "WHEN list_count(a) <> len(a) THEN NULL ELSE true END"
    ),
    # DuckDB's list_distinct drops NULLs and keeps no order
    "lb_distinct(a)": "list_filter(a, lambda e, i: list_position(a, e) = i)",
    # blanks beyond the length are dropped, anything else is an error
    "lb_varchar(x, n)": (
        "CASE WHEN x IS NULL OR length(x) <= n THEN x WHEN length(rtrim(x, ' ')) > n THEN "
        f"error('{MARK}length|' || n || '|]]') ELSE left(x, n) END"
    ),
    "lb_char(x, n)": "rpad({lib}.lb_varchar(x, n), n, ' ')",
    "lb_raise(m)": f"error('{MARK}raise|' || coalesce(CAST(m AS VARCHAR), 'null') || '|]]')",
}


# The casts of text also come as lb_try_text_...: NULL instead of the error.
_RAISES = re.compile(r"error\('" + re.escape(MARK) + r"cast\|' \|\| (name|'\w+') \|\| "
                     r"'\|' \|\| x \|\| '\|\]\]'\)")  # fmt: skip


def install(con, lib: str) -> None:
    for head, body in MACROS.items():
        body = body.replace("{lib}", lib)
        con.execute(f"CREATE MACRO {lib}.{head} AS {body}")
        if head.startswith("lb_text_"):
            quiet = re.sub(r"\bCAST\(", "TRY_CAST(", _RAISES.sub("NULL", body))
            quiet = quiet.replace("TRY_TRY_CAST", "TRY_CAST")
            name = head.replace("lb_text_", "lb_try_text_", 1)
            con.execute(f"CREATE MACRO {lib}.{name} AS {quiet}")
