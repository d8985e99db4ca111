# SPDX-License-Identifier: Apache-2.0
"""The functions: by Databricks name, with argument types, DuckDB text and result type.

A row of _SCALAR reads `name: (arguments, text, result)`. Arguments: S string, I int, L
bigint, D double, B boolean, X binary, d date, t timestamp, a anything; `?` makes those
after it optional. In the text {0}, {1} are the arguments and {all}
is all of them; `result` may be a number: the type of that argument.
"""

from __future__ import annotations

import re

from sqlglot import exp

from . import casts
from . import nested as col
from . import timefuncs as tf
from . import types as t
from .casts import LIB, X
from .dialect import label
from .errors import (
    SqlError,
    type_mismatch,
    unresolved_routine,
    unsupported,
    wrong_num_args,
)

_KINDS = {
    "S": t.STRING, "I": t.INT, "L": t.BIGINT, "D": t.DOUBLE, "B": t.BOOLEAN,
    "X": t.BINARY, "d": t.DATE, "t": t.TIMESTAMP,
}  # fmt: skip

_SCALAR = {
    # text
    "upper": ("S", "upper({0})", t.STRING), "ucase": ("S", "upper({0})", t.STRING),
    "lower": ("S", "lower({0})", t.STRING), "lcase": ("S", "lower({0})", t.STRING),
    "octet_length": ("X", "CAST(octet_length({0}) AS INTEGER)", t.INT),
    "trim": ("S?S", "trim({all})", t.STRING), "btrim": ("S?S", "trim({all})", t.STRING),
    "reverse": ("S", "reverse({0})", t.STRING),
    "repeat": ("SI", "repeat({0}, greatest({1}, 0))", t.STRING),
    "space": ("I", "repeat(' ', greatest({0}, 0))", t.STRING),
    "replace": ("SS?S", "replace({0}, {1}, {2|''})", t.STRING),
    "translate": ("SSS", "translate({0}, {1}, {2})", t.STRING),
    "lpad": ("SI?S", "lpad({0}, {1}, {2|' '})", t.STRING),
    "rpad": ("SI?S", "rpad({0}, {1}, {2|' '})", t.STRING),
    "left": ("SI", "left({0}, greatest({1}, 0))", t.STRING),
    "right": ("SI", "right({0}, greatest({1}, 0))", t.STRING),
    "startswith": ("SS", "starts_with({0}, {1})", t.BOOLEAN),
    "endswith": ("SS", "ends_with({0}, {1})", t.BOOLEAN),
    "contains": ("SS", "contains({0}, {1})", t.BOOLEAN),
    "instr": ("SS", "CAST(strpos({0}, {1}) AS INTEGER)", t.INT),
    "locate": ("SS", "CAST(strpos({1}, {0}) AS INTEGER)", t.INT),
    "ascii": ("S", "CAST(CASE WHEN {0} = '' THEN 0 ELSE ascii({0}) END AS INTEGER)", t.INT),
    "chr": ("L", "chr(CAST({0} % 256 AS INTEGER))", t.STRING),
    "char": ("L", "chr(CAST({0} % 256 AS INTEGER))", t.STRING),
    "initcap": (
        "S",
        "array_to_string(list_transform(string_split({0}, ' '), lambda w_: "
        "upper(left(w_, 1)) || lower(substr(w_, 2))), ' ')",
        t.STRING,
    ),
    "md5": ("X", "md5({0})", t.STRING), "sha1": ("X", "sha1({0})", t.STRING),
    "sha": ("X", "sha1({0})", t.STRING),
    "unhex": ("S", "from_hex(CASE WHEN length({0}) % 2 = 1 THEN '0' || {0} ELSE {0} END)",
              t.BINARY),
    "base64": ("X", "to_base64({0})", t.STRING),
    "unbase64": ("S", "from_base64({0})", t.BINARY),
    "split": ("SS", "string_split_regex({0}, {1})", t.array(t.STRING)),
    "regexp": ("SS", "regexp_matches({0}, {1})", t.BOOLEAN),
    "regexp_like": ("SS", "regexp_matches({0}, {1})", t.BOOLEAN),
    "rlike": ("SS", "regexp_matches({0}, {1})", t.BOOLEAN),
    "regexp_count": ("SS", "CAST(len(regexp_extract_all({0}, {1})) AS INTEGER)", t.INT),
    "levenshtein": ("SS", "CAST(levenshtein({0}, {1}) AS INTEGER)", t.INT),
    # numbers
    "sqrt": ("D", "CASE WHEN {0} < 0 THEN CAST('nan' AS DOUBLE) ELSE sqrt({0}) END", t.DOUBLE),
    "cbrt": ("D", "cbrt({0})", t.DOUBLE), "exp": ("D", "exp({0})", t.DOUBLE),
    "power": ("DD", "pow({0}, {1})", t.DOUBLE), "pow": ("DD", "pow({0}, {1})", t.DOUBLE),
    "ln": ("D", "CASE WHEN {0} > 0 THEN ln({0}) END", t.DOUBLE),
    "log10": ("D", "CASE WHEN {0} > 0 THEN log10({0}) END", t.DOUBLE),
    "log2": ("D", "CASE WHEN {0} > 0 THEN log2({0}) END", t.DOUBLE),
    "sin": ("D", "sin({0})", t.DOUBLE), "cos": ("D", "cos({0})", t.DOUBLE),
    "tan": ("D", "tan({0})", t.DOUBLE), "atan": ("D", "atan({0})", t.DOUBLE),
    "atan2": ("DD", "atan2({0}, {1})", t.DOUBLE),
    "degrees": ("D", "degrees({0})", t.DOUBLE), "radians": ("D", "radians({0})", t.DOUBLE),
    "pi": ("", "pi()", t.DOUBLE), "e": ("", "exp(1.0)", t.DOUBLE),
    "factorial": ("I", "CASE WHEN {0} BETWEEN 0 AND 20 THEN CAST(factorial({0}) AS BIGINT) END",
                  t.BIGINT),
    "shiftleft": ("LI", "({0} << {1})", t.BIGINT), "shiftright": ("LI", "({0} >> {1})", t.BIGINT),
    "bit_count": ("L", "CAST(bit_count({0}) AS INTEGER)", t.INT),
    "isnan": ("D", "coalesce(isnan({0}), false)", t.BOOLEAN),
    # the statement and its surroundings
    "uuid": ("", "CAST(uuid() AS VARCHAR)", t.STRING), "rand": ("", "random()", t.DOUBLE),
    "random": ("", "random()", t.DOUBLE), "monotonically_increasing_id": (
        "", "(row_number() OVER () - 1)", t.BIGINT),
    "raise_error": ("S", f"{LIB}.lb_raise({{0}})", t.VOID),
    "sleep_ms": ("L", "lb_sleep({0}, getvariable('lakebeat_statement')::BIGINT)", t.BIGINT),
    "isnull": ("a", "({0} IS NULL)", t.BOOLEAN),
    "isnotnull": ("a", "({0} IS NOT NULL)", t.BOOLEAN),
    "parse_json": ("S", "CAST(json({0}) AS VARCHAR)", t.VARIANT),
    "get_json_object": ("SS", "({0} ->> {1})", t.STRING),
}  # fmt: skip


def _constant(field):
    return lambda c: X(t.text(getattr(c.session, field)), t.STRING)


# Names that are also written without parentheses.
BARE = {
    "current_catalog": _constant("catalog"),
    "current_schema": _constant("schema"),
    "current_database": _constant("schema"),
    "current_timezone": _constant("timezone"),
    "current_user": lambda c: X("'lakebeat'", t.STRING),
    "session_user": lambda c: X("'lakebeat'", t.STRING),
    "user": lambda c: X("'lakebeat'", t.STRING),
    "current_date": lambda c: X("CAST(CAST(now() AS TIMESTAMP) AS DATE)", t.DATE),
    "current_timestamp": lambda c: X("now()", t.TIMESTAMP),
}


def concat(c, items: list[X]) -> X:
    if items and all(i.type.kind in ("ARRAY", "VOID") for i in items):
        made = c.meet(items, '"concat"')
        if made[0].type.kind == "ARRAY":
            test = " OR ".join(f"{m.sql} IS NULL" for m in made)
            joined = made[0].sql
            for m in made[1:]:
                joined = f"list_concat({joined}, {m.sql})"
            return X(f"(CASE WHEN {test} THEN NULL ELSE {joined} END)", made[0].type)
    if items and all(i.type.kind == "BINARY" for i in items):
        return X("(" + " || ".join(i.sql for i in items) + ")", t.BINARY)
    if not items:
        return X("''", t.STRING)
    return X("(" + " || ".join(c.cast(i, t.STRING).sql for i in items) + ")", t.STRING)


def date_part(c, part: str, x: X) -> X:
    return tf.part(c, part, x)


# --- rules that look at the types --------------------------------------------


def _coalesce(c, a):
    made = c.meet(a, '"coalesce"')
    return X(f"coalesce({', '.join(m.sql for m in made)})", made[0].type)


def _nullif(c, a):
    p, q = c.meet(a, '"nullif"')
    return X(f"(CASE WHEN {p.sql} = {q.sql} THEN NULL ELSE {a[0].sql} END)", a[0].type)


def _extreme(name):
    def rule(c, a):
        made = c.meet(a, f'"{name}"')
        return X(f"{name}({', '.join(m.sql for m in made)})", made[0].type)

    return rule


def _abs(c, a):
    x = a[0] if a[0].type.is_numeric() else c.cast(a[0], t.DOUBLE)
    return X(f"abs({x.sql})", x.type)


def _sign(c, a):
    return X(f"CAST(sign({c.cast(a[0], t.DOUBLE).sql}) AS DOUBLE)", t.DOUBLE)


def _to_whole(name):
    def rule(c, a):
        x = a[0]
        if x.type.is_int():
            return X(f"CAST({x.sql} AS BIGINT)", t.BIGINT)
        if x.type.kind == "DECIMAL":
            p = x.type.precision - x.type.scale + (1 if x.type.scale else 0)
            kind = t.decimal(min(max(p, 1), 38), 0)
            return X(f"CAST({name}({x.sql}) AS {kind.duck()})", kind)
        return X(f"CAST({name}({c.cast(x, t.DOUBLE).sql}) AS BIGINT)", t.BIGINT)

    return rule


def _round(name):
    def rule(c, a):
        x, places = a[0], a[1].const if len(a) > 1 else 0
        if len(a) > 1 and not isinstance(places, int):
            m = re.fullmatch(r"\(?(-?\d+)\)?", a[1].sql)
            if not m:
                raise unsupported(f"{name} with a computed number of places")
            places = int(m[1])
        if x.type.is_int():
            return (
                x
                if places >= 0
                else X(f"CAST(round({x.sql}, {places}) AS {x.type.duck()})", x.type)
            )
        if x.type.kind == "DECIMAL":
            scale = min(x.type.scale, max(places, 0))
            digits = x.type.precision - x.type.scale + 1
            kind = t.bounded_decimal(min(max(digits + scale, 1), 38), scale)
            return X(f"CAST({name}({x.sql}, {places}) AS {kind.duck()})", kind)
        x = x if x.type.kind == "FLOAT" else c.cast(x, t.DOUBLE)
        return X(f"CAST({name}({x.sql}, {places}) AS {x.type.duck()})", x.type)

    return rule


def _pmod(c, a):
    p, q = c._numbers(a[0], a[1], "pmod")
    inner = c.mod(p, q, "pmod", c.ansi)
    return c.mod(c.arithmetic("+", inner, q, "pmod"), q, "pmod", c.ansi)


def _try(op):
    def rule(c, a):
        if op == "/":
            made = c.divide(a[0], a[1], "try_divide", False)
        elif op == "%":
            made = c.mod(a[0], a[1], "try_mod", False)
        else:
            return _try_arithmetic(c, op, a)
        return made

    return rule


def _try_arithmetic(c, op, a):
    made = c.arithmetic(op, a[0], a[1], "try")
    if made.type.is_int():  # wide enough for every result, then narrowed
        p, q = (f"CAST({c.cast(x, made.type).sql} AS HUGEINT)" for x in a)
        return X(f"TRY_CAST({p} {op} {q} AS {made.type.duck()})", made.type)
    if made.type.is_fractional():
        return made
    return X(f"TRY({made.sql})", made.type)


def _typeof(c, a):
    return X(t.text(a[0].type.simple_name()), t.STRING)


def _java_method(c, a):
    name = [x.const for x in a[:2]]
    if name != ["java.lang.Thread", "sleep"] or len(a) != 3:
        raise unsupported(f"java_method({name})", "Only java.lang.Thread.sleep is there.")
    ms = c.cast(a[2], t.BIGINT).sql
    slept = f"lb_sleep({ms}, getvariable('lakebeat_statement')::BIGINT)"
    return X(f"(CASE WHEN {slept} IS NULL THEN NULL ELSE 'null' END)", t.STRING)


def _length(c, a):
    if a[0].type.kind == "BINARY":
        return X(f"CAST(octet_length({a[0].sql}) AS INTEGER)", t.INT)
    return X(f"CAST(length({c.cast(a[0], t.STRING).sql}) AS INTEGER)", t.INT)


def _log(c, a):
    """log(x), log(base, x): NULL where there is none."""
    *base, x = (c.cast(v, t.DOUBLE).sql for v in a)
    if not base:
        return X(f"(CASE WHEN {x} > 0 THEN ln({x}) END)", t.DOUBLE)
    made = f"CASE WHEN {x} > 0 AND {base[0]} > 0 THEN ln({x}) / ln({base[0]}) END"
    return X(f"({made})", t.DOUBLE)


def _substring(c, a):
    s, start = c.cast(a[0], t.STRING).sql, c.cast(a[1], t.INT).sql
    first = f"(CASE WHEN {start} = 0 THEN 1 ELSE {start} END)"
    if len(a) == 2:
        return X(f"substr({s}, {first})", t.STRING)
    size = c.cast(a[2], t.INT).sql
    # a start before the text's begin eats from the length
    begin = f"(CASE WHEN {start} < -length({s}) THEN 1 ELSE {first} END)"
    lost = f"(CASE WHEN {start} < -length({s}) THEN {start} + length({s}) ELSE 0 END)"
    return X(f"substr({s}, {begin}, greatest({size} + {lost}, 0))", t.STRING)


def _concat_ws(c, a):
    parts = []
    for x in a[1:]:
        if x.type.kind == "ARRAY":
            parts.append(
                f"array_to_string({c.cast(x, t.array(t.STRING)).sql}, {a[0].sql})"
            )
        else:
            parts.append(c.cast(x, t.STRING).sql)
    return X(f"concat_ws({', '.join([c.cast(a[0], t.STRING).sql, *parts])})", t.STRING)


def _hex(c, a):
    x = a[0]
    if x.type.is_int():
        return X(f"to_hex(CAST({x.sql} AS BIGINT))", t.STRING)
    return X(f"hex({c.cast(x, t.BINARY).sql})", t.STRING)


def _sha2(c, a):
    if a[1].const not in (0, 256):
        raise unsupported("sha2 with another width than 256")
    return X(f"sha256({c.cast(a[0], t.BINARY).sql})", t.STRING)


def _encode(c, a):
    if str(a[1].const).upper() not in ("UTF-8", "UTF8"):
        raise unsupported("another character set than UTF-8")
    if a[0].type.kind == "BINARY":
        return X(f"decode({a[0].sql})", t.STRING)
    return X(f"encode({c.cast(a[0], t.STRING).sql})", t.BINARY)


def _decode(c, a):
    if len(a) != 2:
        raise unsupported("decode with pairs", "Write CASE.")
    return _encode(c, [c.cast(a[0], t.BINARY), a[1]])


def _regexp(name):
    def rule(c, a):
        s, p = (c.cast(x, t.STRING).sql for x in a[:2])
        if name == "replace":
            to = c.cast(a[2], t.STRING).sql
            if isinstance(a[2].const, str):
                to = t.text(re.sub(r"\$(\d)", r"\\\1", a[2].const))
            return X(f"regexp_replace({s}, {p}, {to}, 'g')", t.STRING)
        group = a[2].const if len(a) > 2 else 1
        if not isinstance(group, int):
            raise unsupported("regexp_extract with a computed group")
        return X(f"regexp_extract({s}, {p}, {group})", t.STRING)

    return rule


def _split_part(c, a):
    s, d = (c.cast(x, t.STRING).sql for x in a[:2])
    return X(f"split_part({s}, {d}, {c.cast(a[2], t.INT).sql})", t.STRING)


def _nvl2(c, a):
    return c.case([f"{a[0].sql} IS NOT NULL"], a[1:])


def _to_json(c, a):
    made = casts.to_json(a[0])
    if made is None or a[0].type.kind not in ("STRUCT", "MAP", "ARRAY", "VARIANT"):
        raise unsupported(f"to_json of {a[0].type}")
    return X(made, t.STRING)


def _interval_parts(kind, sizes):
    def rule(c, a):
        terms = []
        for x, size in zip(a, sizes):
            if x.type.is_int():
                terms.append(f"CAST({x.sql} AS BIGINT) * {size}")
            else:
                terms.append(f"CAST(round({c.cast(x, t.DOUBLE).sql} * {size}) AS BIGINT)")
        total = " + ".join(terms) or "0"
        return X(f"CAST({total} AS {kind.duck()})", kind)

    return rule


def _geometry(unit):
    """Text of a shape: WKT, with the SRID before it unless it is 0."""

    def rule(c, a):
        srid = a[1].const if len(a) > 1 else (4326 if unit == "GEOGRAPHY" else 0)
        if not isinstance(srid, int):
            raise unsupported("a computed SRID")
        kind = t.Type("STRING", unit=unit, precision=srid)
        before = f"SRID={srid};" if srid else ""
        return X(f"({t.text(before)} || {c.cast(a[0], t.STRING).sql})", kind)

    return rule


def _point(c, a):
    x, y = (c.cast(c.cast(v, t.DOUBLE), t.STRING).sql for v in a[:2])
    short = "regexp_replace({}, '\\.0$', '')"
    wkt = X(f"('POINT(' || {short.format(x)} || ' ' || {short.format(y)} || ')')", t.STRING)
    return _geometry("GEOMETRY")(c, [wkt, *a[2:]])


def _as_text(c, a):
    if a[0].type.unit not in ("GEOMETRY", "GEOGRAPHY"):
        raise unsupported(f"st_astext of {a[0].type}")
    return X(f"regexp_replace({a[0].sql}, '^SRID=[0-9]+;', '')", t.STRING)


def _named_cast(kind):
    def rule(c, a):
        return c.cast(a[0], kind)

    return rule


def _decimal_cast(c, a):
    return c.cast(a[0], t.decimal(10, 0))


# name: (least arguments, most arguments, rule)
_RULES = {
    "coalesce": (1, 99, _coalesce), "nvl": (2, 2, _coalesce), "ifnull": (2, 2, _coalesce),
    "nullif": (2, 2, _nullif), "nvl2": (3, 3, _nvl2),
    "greatest": (2, 99, _extreme("greatest")), "least": (2, 99, _extreme("least")),
    "abs": (1, 1, _abs), "sign": (1, 1, _sign), "signum": (1, 1, _sign),
    "floor": (1, 1, _to_whole("floor")), "ceil": (1, 1, _to_whole("ceil")),
    "ceiling": (1, 1, _to_whole("ceil")), "round": (1, 2, _round("round")),
    "bround": (1, 2, _round("round_even")), "pmod": (2, 2, _pmod),
    "log": (1, 2, _log), "length": (1, 1, _length), "len": (1, 1, _length),
    "char_length": (1, 1, _length), "character_length": (1, 1, _length),
    "mod": (2, 2, lambda c, a: c.mod(a[0], a[1], "mod", c.ansi)),
    "try_divide": (2, 2, _try("/")), "try_add": (2, 2, _try("+")),
    "try_subtract": (2, 2, _try("-")), "try_multiply": (2, 2, _try("*")),
    "try_mod": (2, 2, _try("%")), "typeof": (1, 1, _typeof),
    "java_method": (2, 9, _java_method), "reflect": (2, 9, _java_method),
    "concat": (0, 99, concat), "concat_ws": (1, 99, _concat_ws),
    "substring": (2, 3, _substring), "substr": (2, 3, _substring),
    "hex": (1, 1, _hex), "sha2": (2, 2, _sha2), "encode": (2, 2, _encode),
    "decode": (2, 99, _decode), "regexp_replace": (3, 3, _regexp("replace")),
    "regexp_extract": (2, 3, _regexp("extract")), "split_part": (3, 3, _split_part),
    "to_json": (1, 1, _to_json),
    "st_geomfromtext": (1, 2, _geometry("GEOMETRY")),
    "st_geogfromtext": (1, 1, _geometry("GEOGRAPHY")),
    "st_point": (2, 3, _point), "st_astext": (1, 1, _as_text),
    "make_dt_interval": (0, 4, _interval_parts(
        t.DAY_SECOND, (86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000))),
    "make_ym_interval": (0, 2, _interval_parts(t.YEAR_MONTH, (12, 1))),
    "string": (1, 1, _named_cast(t.STRING)), "int": (1, 1, _named_cast(t.INT)),
    "bigint": (1, 1, _named_cast(t.BIGINT)), "double": (1, 1, _named_cast(t.DOUBLE)),
    "float": (1, 1, _named_cast(t.FLOAT)), "boolean": (1, 1, _named_cast(t.BOOLEAN)),
    "date": (1, 1, _named_cast(t.DATE)), "timestamp": (1, 1, _named_cast(t.TIMESTAMP)),
    "binary": (1, 1, _named_cast(t.BINARY)), "smallint": (1, 1, _named_cast(t.SMALLINT)),
    "tinyint": (1, 1, _named_cast(t.TINYINT)), "decimal": (1, 1, _decimal_cast),
    **tf.RULES, **col.RULES,
}  # fmt: skip

GENERATORS = ("explode", "explode_outer", "posexplode", "posexplode_outer", "inline",
              "inline_outer")  # fmt: skip

# Databricks functions that are known and refused; every other name is unresolved.
_REFUSED = """aes_decrypt aes_encrypt ai_query approx_percentile arrays_zip assert_true
bin bit_get conv cardinality crc32 date_diff find_in_set format_number from_csv from_json
from_xml h3_longlatash3string hash hll_sketch_agg http_request input_file_name json_tuple kurtosis
luhn_check map_zip_with mask months_between next_day parse_url percentile_approx positive printf
format_string randn read_files regr_slope schema_of_json sentences session_window shuffle
skewness soundex stack str_to_map to_binary to_char to_csv to_number to_varchar
to_xml try_to_number url_decode url_encode variant_get variant_explode width_bucket window
xpath xxhash64 zip_with aggregate reduce identifier read_kafka table_changes
approx_top_k count_min_sketch grouping grouping_id histogram_numeric""".split()


def names() -> list[str]:
    from . import aggregates

    found = {
        *_SCALAR,
        *_RULES,
        *BARE,
        *aggregates.NAMES,
        *GENERATORS,
        *col.LAMBDAS,
        "if",
        "iff",
    }
    return sorted(found)


def call(c, e: exp.Anonymous, scope) -> X:
    from . import aggregates

    name = str(e.this).lower()
    if name in aggregates.NAMES:
        return aggregates.plain(c, name, e, scope)
    if name in aggregates.RANKING:
        raise SqlError(
            "WINDOW_FUNCTION_WITHOUT_OVER_CLAUSE",
            "42601",
            f'Window function "{label(e)}" requires an OVER clause.',
        )
    if name in GENERATORS:
        raise SqlError(
            "UNSUPPORTED_GENERATOR.NESTED_IN_EXPRESSIONS",
            "42K0E",
            f'The generator "{label(e)}" is not supported inside an expression.',
        )
    if name in ("if", "iff") and len(e.expressions) == 3:
        p, q, r = e.expressions
        return c.case([c.condition(p, scope)], [c.expr(q, scope), c.expr(r, scope)])
    if (name in col.LAMBDAS and len(e.expressions) != 2) or (
        name in tf.RAW and len(e.expressions) not in (2, 3)
    ):
        raise wrong_num_args(name, len(e.expressions))
    if name in col.LAMBDAS:
        return col.LAMBDAS[name](c, e.expressions, scope)
    if name in col.RAW:
        return col.RAW[name](c, e.expressions, scope)
    if name in tf.RAW:
        return tf.RAW[name](c, e.expressions, scope)
    return _by_table(c, name, [c.expr(a, scope) for a in e.expressions])


def _by_table(c, name: str, args: list[X]) -> X:
    if name in BARE and not args:
        return BARE[name](c)
    if name in _RULES:
        least, most, rule = _RULES[name]
        if not least <= len(args) <= most:
            raise wrong_num_args(name, len(args))
        return rule(c, args)
    if name in _SCALAR:
        return _scalar(c, name, args)
    if name in _REFUSED:
        raise unsupported(f"the function {name}")
    raise unresolved_routine(name)


def _scalar(c, name: str, args: list[X]) -> X:
    signature, template, result = _SCALAR[name]
    needed, _, optional = signature.partition("?")
    kinds = needed + optional
    if not len(needed) <= len(args) <= len(kinds):
        raise wrong_num_args(name, len(args))
    sqls = [a.sql if k == "a" else c.cast(a, _KINDS[k]).sql for a, k in zip(args, kinds)]
    return X(_fill(template, sqls), result)


def _fill(template: str, sqls: list[str]) -> str:
    """{n}, {n|text when absent}, {all}."""

    def one(m):
        return sqls[int(m[1])] if int(m[1]) < len(sqls) else m[2] or ""

    return re.sub(
        r"\{(\d+)(?:\|([^{}]*))?\}", one, template.replace("{all}", ", ".join(sqls))
    )


def window(c, e: exp.Window, scope) -> X:
    from . import aggregates

    return aggregates.window(c, e, scope)


def filtered(c, e: exp.Filter, scope) -> X:
    from . import aggregates

    return aggregates.filtered(c, e, scope)


__all__ = ["BARE", "GENERATORS", "call", "concat", "names", "type_mismatch"]
