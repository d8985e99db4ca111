# SPDX-License-Identifier: Apache-2.0
"""Functions on arrays, maps and structs, with those that take a lambda."""

from __future__ import annotations

from sqlglot import exp

from . import types as t
from .casts import LIB, X
from .dialect import label
from .errors import SqlError, null_map_key, type_mismatch, unsupported, wrong_num_args
from .scope import Scope


def _need(x: X, kind: str, name: str) -> X:
    if x.type.kind != kind:
        raise type_mismatch(f'"{name}": needs {kind}, got "{x.type}"')
    return x


def _array(c, a):
    if not a:
        return X("CAST([] AS INTEGER[])", t.array(t.VOID))
    made = c.meet(a, '"array"')
    kind = t.array(made[0].type)
    return X(f"CAST([{', '.join(m.sql for m in made)}] AS {kind.duck()})", kind)


def _map(c, a):
    if len(a) % 2:
        raise wrong_num_args("map", len(a))
    if not a:
        # Arrow has no map of nothing to nothing
        return X(
            "CAST(map([], []) AS MAP(VARCHAR, VARCHAR))", t.map_of(t.STRING, t.STRING)
        )
    keys, values = _array(c, a[::2]), _array(c, a[1::2])
    if keys.type.element.kind == "VOID":
        raise null_map_key()
    if values.type.element.kind == "VOID":
        values = c.cast(values, t.array(t.STRING))
    kind = t.map_of(keys.type.element, values.type.element)
    return X(f"CAST(map({keys.sql}, {values.sql}) AS {kind.duck()})", kind)


def _pack(names: list[str], parts: list[X]) -> X:
    kind = t.struct(names, [p.type for p in parts])
    if len({n.lower() for n in names}) != len(names):
        raise unsupported("a struct with two fields of one name")
    inner = ", ".join(f"{t.ident(n)} := {p.sql}" for n, p in zip(names, parts))
    return X(f"CAST(struct_pack({inner}) AS {kind.duck()})", kind)


def _named_struct(c, a):
    if len(a) % 2 or not a:
        raise wrong_num_args("named_struct", len(a))
    if not all(isinstance(n.const, str) for n in a[::2]):
        raise type_mismatch('"named_struct": names must be string literals')
    return _pack([n.const for n in a[::2]], a[1::2])


def _raw_struct(c, args, scope):
    names, parts = [], []
    for i, node in enumerate(args):
        if isinstance(node, (exp.PropertyEQ, exp.Alias)):
            name = node.this.name if isinstance(node, exp.PropertyEQ) else node.alias
            inner = node.expression if isinstance(node, exp.PropertyEQ) else node.this
            names.append(name)
            parts.append(c.expr(inner, scope))
            continue
        named = isinstance(node, (exp.Column, exp.Dot))
        names.append(label(node) if named else f"col{i + 1}")
        parts.append(c.expr(node, scope))
    return _pack(names, parts)


def _size(c, a):
    x = a[0]
    if x.type.kind == "MAP":
        return X(f"CAST(cardinality({x.sql}) AS INTEGER)", t.INT)
    return X(f"CAST(len({_need(x, 'ARRAY', 'size').sql}) AS INTEGER)", t.INT)


def _element_at(c, a):
    x = a[0]
    if x.type.kind == "MAP":
        return X(f"({x.sql})[{c.cast(a[1], x.type.args[0]).sql}]", x.type.value)
    _need(x, "ARRAY", "element_at")
    return X(f"{LIB}.lb_element_at({x.sql}, {c.cast(a[1], t.INT).sql})", x.type.element)


def _try_element_at(c, a):
    if a[0].type.kind == "MAP":
        return _element_at(c, a)
    _need(a[0], "ARRAY", "try_element_at")
    return X(f"list_extract({a[0].sql}, {c.cast(a[1], t.INT).sql})", a[0].type.element)


def _get(c, a):
    _need(a[0], "ARRAY", "get")
    i = c.cast(a[1], t.INT).sql
    made = f"CASE WHEN {i} >= 0 THEN list_extract({a[0].sql}, {i} + 1) END"
    return X(f"({made})", a[0].type.element)


def _contains(c, a):
    _need(a[0], "ARRAY", "array_contains")
    value = c.cast(a[1], a[0].type.element)
    return X(f"{LIB}.lb_contains({a[0].sql}, {value.sql})", t.BOOLEAN)


def _position(c, a):
    _need(a[0], "ARRAY", "array_position")
    value = c.cast(a[1], a[0].type.element)
    return X(
        f"CAST(coalesce(list_position({a[0].sql}, {value.sql}), 0) AS BIGINT)", t.BIGINT
    )


def _same(template):
    """A function of one array whose result is an array of the same type."""

    def rule(c, a):
        _need(a[0], "ARRAY", "array function")
        return X(template.format(a[0].sql), a[0].type)

    return rule


def _to_element(template):
    def rule(c, a):
        _need(a[0], "ARRAY", "array function")
        return X(template.format(a[0].sql), a[0].type.element)

    return rule


def _append(template):
    def rule(c, a):
        _need(a[0], "ARRAY", "array function")
        return X(
            template.format(a[0].sql, c.cast(a[1], a[0].type.element).sql), a[0].type
        )

    return rule


def _sort_array(c, a):
    _need(a[0], "ARRAY", "sort_array")
    if len(a) > 1 and a[1].sql not in ("true", "false"):
        raise unsupported("sort_array with a computed order")
    order = (
        "'DESC', 'NULLS LAST'"
        if len(a) > 1 and a[1].sql == "false"
        else "'ASC', 'NULLS FIRST'"
    )
    return X(f"list_sort({a[0].sql}, {order})", a[0].type)


def _slice(c, a):
    _need(a[0], "ARRAY", "slice")
    start, size = c.cast(a[1], t.INT).sql, c.cast(a[2], t.INT).sql
    first = f"(CASE WHEN {start} < 0 THEN len({a[0].sql}) + {start} + 1 ELSE {start} END)"
    return X(f"list_slice({a[0].sql}, {first}, {first} + {size} - 1)", a[0].type)


def _join(c, a):
    items = c.cast(_need(a[0], "ARRAY", "array_join"), t.array(t.STRING)).sql
    if len(a) > 2:
        fill = c.cast(a[2], t.STRING).sql
        items = f"list_transform({items}, lambda e_: coalesce(e_, {fill}))"
    return X(f"array_to_string({items}, {c.cast(a[1], t.STRING).sql})", t.STRING)


def _flatten(c, a):
    _need(a[0], "ARRAY", "flatten")
    return X(
        f"flatten({a[0].sql})", _need(X("", a[0].type.element), "ARRAY", "flatten").type
    )


def _repeat(c, a):
    count = c.cast(a[1], t.INT).sql
    value = a[0] if a[0].type.kind != "VOID" else c.cast(a[0], t.VOID)
    made = f"list_transform(range(0, greatest({count}, 0)), lambda e_: {value.sql})"
    return X(made, t.array(value.type))


def _sequence(c, a):
    first = a[0].type.kind
    if first in ("DATE", "TIMESTAMP", "TIMESTAMP_NTZ"):
        return _time_sequence(c, a)
    kind = t.INT
    for x in a:
        if x.type.kind == "BIGINT":
            kind = t.BIGINT
    start, stop = (c.cast(x, t.BIGINT).sql for x in a[:2])
    step = (
        c.cast(a[2], t.BIGINT).sql
        if len(a) > 2
        else f"CASE WHEN {start} <= {stop} THEN 1 ELSE -1 END"
    )
    made = f"generate_series({start}, {stop}, {step})"
    return X(f"CAST({made} AS {kind.duck()}[])", t.array(kind))


def _time_sequence(c, a):
    kind = a[0].type
    start, stop = a[0], c.cast(a[1], kind)
    step = a[2] if len(a) > 2 else X("86400000000", t.Type("DT", unit="DAY"))
    low, high = (
        f"CAST({x.sql} AS TIMESTAMP)" if kind.kind == "DATE" else x.sql
        for x in (start, stop)
    )
    by = f"to_microseconds({step.sql})"
    if step.type.unit == "DAY":
        by = f"to_days(CAST({step.sql} // 86400000000 AS INTEGER))"
    made = f"generate_series({low}, {high}, {by})"
    if step.type.kind == "YM":
        # counted from the start each time, so that the 31st comes back after February
        count = f"greatest(date_diff('month', {low}, {high}) // {step.sql} + 1, 0)"
        moved = f"{low} + to_months(CAST(i_ * {step.sql} AS INTEGER))"
        inside = f"CASE WHEN {step.sql} > 0 THEN e_ <= {high} ELSE e_ >= {high} END"
        made = (
            f"list_filter(list_transform(range(0, {count}), lambda i_: {moved}), "
            f"lambda e_: {inside})"
        )
    return X(f"CAST({made} AS {kind.duck()}[])", t.array(kind))


def _two(name):
    def rule(c, a):
        p, q = c.meet(a, f'"{name}"')
        _need(p, "ARRAY", name)
        if name == "arrays_overlap":
            return X(f"list_has_any({p.sql}, {q.sql})", t.BOOLEAN)
        if name == "array_union":
            return X(f"{LIB}.lb_distinct(list_concat({p.sql}, {q.sql}))", p.type)
        inside = "" if name == "array_intersect" else "NOT "
        found = f"coalesce(list_position({q.sql}, e_), 0) > 0"
        kept = f"list_filter({p.sql}, lambda e_: {inside}({found}))"
        either = f"{p.sql} IS NULL OR {q.sql} IS NULL"
        sql = f"(CASE WHEN {either} THEN NULL ELSE {LIB}.lb_distinct({kept}) END)"
        return X(sql, p.type)

    return rule


def _map_keys(c, a):
    return X(
        f"map_keys({_need(a[0], 'MAP', 'map_keys').sql})", t.array(a[0].type.args[0])
    )


def _map_values(c, a):
    return X(
        f"map_values({_need(a[0], 'MAP', 'map_values').sql})", t.array(a[0].type.value)
    )


def _map_entries(c, a):
    kind = _need(a[0], "MAP", "map_entries").type
    return X(f"map_entries({a[0].sql})", t.array(t.struct(("key", "value"), kind.args)))


def _map_contains(c, a):
    key = c.cast(a[1], _need(a[0], "MAP", "map_contains_key").type.args[0])
    return X(f"list_contains(map_keys({a[0].sql}), {key.sql})", t.BOOLEAN)


def _map_from_arrays(c, a):
    p, q = (_need(x, "ARRAY", "map_from_arrays") for x in a)
    return X(f"map({p.sql}, {q.sql})", t.map_of(p.type.element, q.type.element))


def _map_concat(c, a):
    made = c.meet(a, '"map_concat"')
    return X(f"map_concat({', '.join(m.sql for m in made)})", made[0].type)


RULES = {
    "array": (0, 9999, _array), "map": (0, 9999, _map),
    "named_struct": (0, 9999, _named_struct), "size": (1, 1, _size),
    "cardinality": (1, 1, _size), "array_size": (1, 1, _size),
    "element_at": (2, 2, _element_at), "try_element_at": (2, 2, _try_element_at),
    "get": (2, 2, _get), "array_contains": (2, 2, _contains),
    "array_position": (2, 2, _position),
    "array_distinct": (1, 1, _same(LIB + ".lb_distinct({0})")),
    "array_compact": (1, 1, _same("list_filter({0}, lambda e_: e_ IS NOT NULL)")),
    "array_sort": (1, 1, _same("list_sort({0}, 'ASC', 'NULLS LAST')")),
    "sort_array": (1, 2, _sort_array), "slice": (3, 3, _slice),
    "array_max": (1, 1, _to_element("list_max({0})")),
    "array_min": (1, 1, _to_element("list_min({0})")),
    "array_append": (2, 2, _append("list_append({0}, {1})")),
    "array_prepend": (2, 2, _append("list_prepend({1}, {0})")),
    "array_remove": (2, 2, _append("list_filter({0}, lambda e_: e_ IS DISTINCT FROM {1})")),
    "array_join": (2, 3, _join), "flatten": (1, 1, _flatten),
    "array_repeat": (2, 2, _repeat), "sequence": (2, 3, _sequence),
    "array_union": (2, 2, _two("array_union")),
    "array_intersect": (2, 2, _two("array_intersect")),
    "array_except": (2, 2, _two("array_except")),
    "arrays_overlap": (2, 2, _two("arrays_overlap")),
    "map_keys": (1, 1, _map_keys), "map_values": (1, 1, _map_values),
    "map_entries": (1, 1, _map_entries), "map_contains_key": (2, 2, _map_contains),
    "map_from_arrays": (2, 2, _map_from_arrays), "map_concat": (1, 99, _map_concat),
}  # fmt: skip


# --- lambdas --------------------------------------------


def _lambda(c, node, scope, kinds: list[t.Type]) -> tuple[list[str], X]:
    if not isinstance(node, exp.Lambda):
        raise SqlError(
            "INVALID_LAMBDA_FUNCTION_CALL.NUM_ARGS_MISMATCH",
            "42K0D",
            "A lambda is needed.",
        )
    names = [p.name for p in node.expressions]
    if len(names) > len(kinds):
        raise SqlError(
            "INVALID_LAMBDA_FUNCTION_CALL.NUM_ARGS_MISMATCH",
            "42K0D",
            f"The lambda has {len(names)} parameters, at most {len(kinds)} are expected.",
        )
    inner = Scope(parent=scope)
    physical = []
    for name, kind in zip(names, kinds):
        here = f"v{c.fresh()}"
        physical.append(here)
        inner.lambdas[name.lower()] = X(here, kind)
    return physical, c.expr(node.this, inner)


def _transform(c, args, scope):
    x = _need(c.expr(args[0], scope), "ARRAY", "transform")
    names, body = _lambda(c, args[1], scope, [x.type.element, t.INT])
    if len(names) == 2:  # DuckDB counts from 1
        body = X(
            body.sql.replace(names[1], f"CAST({names[1]} - 1 AS INTEGER)"), body.type
        )
    made = f"list_transform({x.sql}, lambda {', '.join(names)}: {body.sql})"
    return X(made, t.array(body.type))


def _filter(c, args, scope):
    x = _need(c.expr(args[0], scope), "ARRAY", "filter")
    names, body = _lambda(c, args[1], scope, [x.type.element])
    test = c.cast(body, t.BOOLEAN).sql
    return X(f"list_filter({x.sql}, lambda {names[0]}: {test})", x.type)


def _any(word):
    def rule(c, args, scope):
        x = _need(c.expr(args[0], scope), "ARRAY", word)
        names, body = _lambda(c, args[1], scope, [x.type.element])
        test = c.cast(body, t.BOOLEAN).sql
        made = f"list_transform({x.sql}, lambda {names[0]}: {test})"
        fold = "lb_contains" if word == "exists" else "lb_all"
        value = "true" if word == "exists" else "false"
        return X(f"{LIB}.{fold}({made}, {value})", t.BOOLEAN)

    return rule


LAMBDAS = {
    "transform": _transform, "filter": _filter, "exists": _any("exists"),
    "any_match": _any("exists"), "forall": _any("forall"),
}  # fmt: skip

RAW = {"struct": _raw_struct}
