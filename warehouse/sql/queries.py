# SPDX-License-Identifier: Apache-2.0
"""Queries: SELECT, VALUES, set operations, WITH, joins, generators.

A translated query names its DuckDB columns c0, c1, ...; every FROM item gets an alias of
ours (q1, q2, ...), so that names, their case and their duplicates are settled here alone.
"""

from __future__ import annotations

from sqlglot import exp

from . import casts
from . import types as t
from .casts import X
from .dialect import label
from .errors import SqlError, syntax_error, unsupported
from .functions import GENERATORS
from .scope import Rel, Scope, Source
from .types import ident

_SELECT_ARGS = {
    "with_", "expressions", "distinct", "from_", "joins", "laterals", "where", "group",
    "having", "qualify", "windows", "order", "limit", "offset", "hint", "sort",
}  # fmt: skip


def refuse_other_args(e: exp.Expression, known: set[str]) -> None:
    for name, value in e.args.items():
        if value not in (None, False, []) and name not in known:
            raise unsupported(f"{name.strip('_').replace('_', ' ').upper()} here")


class Queries:
    """Mixed into the compiler."""

    def query(self, e: exp.Expression, parent: Scope | None = None) -> Rel:
        self.depth += 1
        if self.depth > 60:
            raise unsupported("queries nested this deeply")
        outer, self.aggregated = self.aggregated, False
        saved = self.ctes
        self.ctes = dict(saved)
        try:
            prefix = self._with(e.args.get("with_"), parent)
            rel = self._body(e, parent)
            return Rel(prefix + rel.sql, rel.columns)
        finally:
            self.ctes, self.aggregated = saved, outer
            self.depth -= 1

    def _body(self, e: exp.Expression, parent: Scope | None) -> Rel:
        if isinstance(e, exp.Select):
            return self._select(e, parent)
        if isinstance(e, exp.SetOperation):
            return self._set_operation(e, parent)
        if isinstance(e, exp.Values):
            return self._values(e, parent)
        if isinstance(e, exp.Subquery):
            refuse_other_args(e, {"this", "alias", "order", "limit", "offset", "with_"})
            return self._modified(self.query(e.this, parent), e)
        if isinstance(e, exp.Table):
            return self._select(exp.select("*").from_(e.copy()), parent)
        raise unsupported(f"{type(e).__name__} as a query")

    # --- WITH --------------------------------------------

    def _with(self, node: exp.With | None, parent: Scope | None) -> str:
        if node is None:
            return ""
        parts = []
        recursive = bool(node.args.get("recursive"))
        for cte in node.expressions:
            name = f"w{self.fresh()}"
            names = [c.name for c in cte.args["alias"].args.get("columns") or []]
            if recursive and isinstance(cte.this, exp.Union) and _mentions(cte):
                sql, columns = self._recursive(cte, name, names, parent)
            else:
                rel = self.query(cte.this, parent)
                sql, columns = f"{name} AS ({rel.sql})", _renamed(rel.columns, names)
            parts.append(sql)
            self.ctes[cte.alias.lower()] = (name, columns)
        return f"WITH {'RECURSIVE ' if recursive else ''}{', '.join(parts)} "

    def _recursive(self, cte, name, names, parent):
        union = cte.this
        first = self.query(union.this, parent)
        columns = _renamed(first.columns, names)
        self.ctes[cte.alias.lower()] = (name, columns)
        step = self.query(union.expression, parent)
        if len(step.columns) != len(columns):
            raise _arity(len(columns), len(step.columns), "UNION")
        parts = ", ".join(
            self.cast(X(f"c{i}", kind), columns[i][1]).sql + f" AS c{i}"
            for i, (_, kind) in enumerate(step.columns)
        )
        word = "UNION" if union.args.get("distinct") else "UNION ALL"
        heads = ", ".join(f"c{i}" for i in range(len(columns)))
        sql = f"{name}({heads}) AS ({first.sql} {word} SELECT {parts} FROM ({step.sql}) AS s_)"
        return sql, columns

    # --- set operations, VALUES --------------------------------------------

    def _set_operation(self, e: exp.SetOperation, parent: Scope | None) -> Rel:
        refuse_other_args(
            e, {"this", "expression", "distinct", "with_", "order", "limit", "offset"}
        )
        word = {exp.Union: "UNION", exp.Except: "EXCEPT", exp.Intersect: "INTERSECT"}[
            type(e)
        ]
        left, right = self.query(e.this, parent), self.query(e.expression, parent)
        if len(left.columns) != len(right.columns):
            raise _arity(len(left.columns), len(right.columns), word)
        kinds = [
            casts.common_all([a[1], b[1]], word)
            for a, b in zip(left.columns, right.columns)
        ]
        sides = [self._as_types(rel, kinds) for rel in (left, right)]
        every = "" if e.args.get("distinct", True) else " ALL"
        sql = f"{sides[0]} {word}{every} {sides[1]}"
        columns = [(name, kind) for (name, _), kind in zip(left.columns, kinds)]
        return self._modified(Rel(sql, columns), e)

    def _as_types(self, rel: Rel, kinds: list[t.Type]) -> str:
        if [k for _, k in rel.columns] == kinds:
            return f"(SELECT * FROM ({rel.sql}) AS s_)"
        parts = ", ".join(
            self.cast(X(f"c{i}", a), b).sql + f" AS c{i}"
            for i, ((_, a), b) in enumerate(zip(rel.columns, kinds))
        )
        return f"(SELECT {parts} FROM ({rel.sql}) AS s_)"

    def _modified(self, rel: Rel, e: exp.Expression) -> Rel:
        """ORDER BY, LIMIT and OFFSET that stand behind a whole query."""
        order, limit, offset = (e.args.get(k) for k in ("order", "limit", "offset"))
        if not (order or limit or offset):
            return rel
        here = f"q{self.fresh()}"
        scope = Scope(sources=[rel.source("", here)])
        sql = f"SELECT * FROM ({rel.sql}) AS {here}"
        if order:
            names = [n for n, _ in rel.columns]
            sql += " ORDER BY " + self._order(order, scope, names, [])
        return Rel(sql + self._limits(limit, offset, scope), rel.columns)

    def _values(self, e: exp.Values, parent: Scope | None) -> Rel:
        rows = []
        for row in e.expressions:
            cells = row.expressions if isinstance(row, exp.Tuple) else [row]
            rows.append([self.expr(c, parent or Scope()) for c in cells])
        width = len(rows[0])
        if any(len(r) != width for r in rows):
            raise SqlError(
                "INVALID_INLINE_TABLE.NUM_COLUMNS_MISMATCH",
                "42000",
                f"Invalid inline table. Inline table expected {width} columns in every row.",
            )
        kinds = [
            casts.common_all([r[i].type for r in rows], "VALUES") for i in range(width)
        ]
        lines = (
            "(" + ", ".join(self.cast(x, k).sql for x, k in zip(r, kinds)) + ")"
            for r in rows
        )
        heads = ", ".join(f"c{i}" for i in range(width))
        sql = f"SELECT * FROM (VALUES {', '.join(lines)}) AS v_({heads})"
        return Rel(sql, [(f"col{i + 1}", k) for i, k in enumerate(kinds)])

    # --- SELECT --------------------------------------------

    def _select(self, e: exp.Select, parent: Scope | None) -> Rel:
        refuse_other_args(e, _SELECT_ARGS)
        scope = Scope(parent=parent)
        for w in e.args.get("windows") or []:
            scope.windows[w.this.name.lower()] = w
        source = self._from(e, scope)
        where = e.args.get("where")
        where_sql = f" WHERE {self.condition(where.this, scope)}" if where else ""
        names, outputs = self._projections(e.expressions, scope)
        group = self._group(e.args.get("group"), scope, e.expressions, outputs)
        having = e.args.get("having")
        tail = f" HAVING {self.condition(having.this, scope)}" if having else ""
        qualify = e.args.get("qualify")
        tail += f" QUALIFY {self.condition(qualify.this, scope)}" if qualify else ""
        distinct = e.args.get("distinct")
        if distinct is not None and distinct.args.get("on"):
            raise unsupported("DISTINCT ON")
        order = e.args.get("order") or e.args.get("sort")
        if order:
            tail += " ORDER BY " + self._order(order, scope, names, outputs)
        tail += self._limits(e.args.get("limit"), e.args.get("offset"), scope)
        listed = ", ".join(f"{x.sql} AS c{i}" for i, x in enumerate(outputs))
        word = "SELECT DISTINCT" if distinct is not None else "SELECT"
        sql = f"{word} {listed}{source}{where_sql}{group}{tail}"
        return Rel(sql, [(n, x.type) for n, x in zip(names, outputs)])

    def _projections(self, items, scope: Scope) -> tuple[list[str], list[X]]:
        names, outputs, generators = [], [], 0
        for item in items:
            node, given = (
                (item.this, item.alias) if isinstance(item, exp.Alias) else (item, "")
            )
            if isinstance(item, exp.Aliases):
                node, given = item.this, [a.name for a in item.aliases]
            if _generator(node):
                generators += 1
                made = self._generated(node, scope)
                made = _given_names(made, given)
            elif isinstance(node, exp.Star):
                made = self._star(node, scope, None)
            elif isinstance(node, exp.Column) and isinstance(node.this, exp.Star):
                made = self._star(node.this, scope, [p.name for p in node.parts[:-1]])
            elif isinstance(given, list):
                raise syntax_error("(")
            else:
                x = self.expr(node, scope)
                if not isinstance(node, exp.Column):
                    x = X(x.sql, x.type.computed(), x.const)
                made = [(given or label(node), x)]
                if given:
                    scope.aliases.setdefault(given.lower(), made[0][1])
            names += [n for n, _ in made]
            outputs += [x for _, x in made]
        if generators > 1:
            raise SqlError(
                "UNSUPPORTED_GENERATOR.MULTI_GENERATOR",
                "42K0E",
                "Only one generator is allowed per SELECT clause.",
            )
        if not outputs:
            raise syntax_error("SELECT")
        return names, outputs

    def _star(self, star: exp.Star, scope: Scope, qualifier) -> list[tuple[str, X]]:
        refuse_other_args(star, {"except_"})
        dropped = {c.name.lower() for c in star.args.get("except_") or []}
        if qualifier is None:
            found = list(scope.merged)
            merged = {n.lower() for n, _ in found}
            for s in scope.visible():
                found += [(n, x) for n, x in s.columns if n.lower() not in merged]
        else:
            sources = [s for s in scope.visible() if s.answers_to(qualifier)]
            if sources:
                found = list(sources[0].columns)
            else:
                x = scope.resolve(qualifier)
                if x.type.kind != "STRUCT":
                    raise SqlError(
                        "CANNOT_RESOLVE_STAR_EXPAND",
                        "42704",
                        f"Cannot resolve {'.'.join(qualifier)}.*: no such table or struct.",
                    )
                from .scope import field_of

                found = [(n, field_of(x, n)) for n in x.type.names]
        if not found and not scope.sources:
            raise SqlError(
                "INVALID_USAGE_OF_STAR_OR_REGEX",
                "42000",
                "Invalid usage of '*' in SELECT.",
            )
        return [(n, x) for n, x in found if n.lower() not in dropped]

    def _group(self, group, scope: Scope, items, outputs: list[X]) -> str:
        if group is None:
            return ""
        refuse_other_args(
            group, {"expressions", "all", "rollup", "cube", "grouping_sets"}
        )
        if group.args.get("all"):
            return " GROUP BY ALL"
        if not any(v for v in group.args.values()):
            raise syntax_error("GROUP BY")
        parts = []
        for g in group.expressions:
            if isinstance(g, (exp.Rollup, exp.Cube, exp.GroupingSets)):
                parts.append(self._grouping(g, scope, outputs))
            else:
                parts.append(self._group_item(g, scope, outputs))
        for key, word in (("rollup", "ROLLUP"), ("cube", "CUBE")):
            for node in group.args.get(key) or []:
                inner = [self._group_item(x, scope, outputs) for x in node.expressions]
                parts.append(f"{word} ({', '.join(inner)})")
        for node in group.args.get("grouping_sets") or []:
            parts.append(self._grouping(node, scope, outputs))
        return f" GROUP BY {', '.join(parts)}"

    def _grouping(self, g, scope, outputs) -> str:
        word = {exp.Rollup: "ROLLUP", exp.Cube: "CUBE", exp.GroupingSets: "GROUPING SETS"}
        inner = []
        for x in g.expressions:
            if isinstance(x, exp.Tuple):
                inner.append(
                    "("
                    + ", ".join(
                        self._group_item(i, scope, outputs) for i in x.expressions
                    )
                    + ")"
                )
            elif isinstance(x, exp.Paren):
                inner.append("(" + self._group_item(x.this, scope, outputs) + ")")
            else:
                inner.append(self._group_item(x, scope, outputs))
        return f"{word[type(g)]} ({', '.join(inner)})"

    def _group_item(self, g, scope: Scope, outputs: list[X]) -> str:
        if isinstance(g, exp.Literal) and g.this.isdigit() and not g.is_string:
            at = int(g.this)
            if not 1 <= at <= len(outputs):
                raise SqlError(
                    "GROUP_BY_POS_OUT_OF_RANGE",
                    "42805",
                    f"GROUP BY position {at} is not in select list (valid range is "
                    f"[1, {len(outputs)}]).",
                )
            return outputs[at - 1].sql
        return self.expr(g, scope).sql

    def _order(self, order: exp.Order, scope: Scope, names, outputs: list[X]) -> str:
        inner = Scope(parent=scope, outputs_first=True)
        inner.windows = scope.windows
        positions = {}
        for i, (name, x) in enumerate(zip(names, outputs)):
            inner.aliases.setdefault(name.lower(), x)
            positions.setdefault(x.sql, i + 1)
        parts = []
        for o in order.expressions:
            node = o.this
            if isinstance(node, exp.Var) and node.name.upper() == "ALL":
                parts += [self.ordered(o, str(i + 1)) for i in range(len(names))]
                continue
            if (
                isinstance(node, exp.Literal)
                and node.this.isdigit()
                and not node.is_string
            ):
                at = int(node.this)
                if not 1 <= at <= len(names):
                    raise SqlError(
                        "ORDER_BY_POS_OUT_OF_RANGE",
                        "42805",
                        f"ORDER BY position {at} is not in select list (valid range is "
                        f"[1, {len(names)}]).",
                    )
                parts.append(self.ordered(o, str(at)))
                continue
            sql = self.expr(node, inner).sql
            parts.append(
                self.ordered(o, str(positions[sql]) if sql in positions else f"({sql})")
            )
        return ", ".join(parts)

    def ordered(self, o: exp.Ordered, sql: str) -> str:
        word = "DESC" if o.args.get("desc") else "ASC"
        return f"{sql} {word} NULLS {'FIRST' if o.args.get('nulls_first') else 'LAST'}"

    def _limits(self, limit, offset, scope: Scope) -> str:
        out = ""
        for word, node in (("LIMIT", limit), ("OFFSET", offset)):
            if node is None:
                continue
            value = node.expression
            if isinstance(value, (exp.Column, exp.Var)) and value.name.upper() == "ALL":
                continue
            x = self.expr(value, Scope())
            if isinstance(x.const, int) and x.const < 0:
                raise SqlError(
                    "INVALID_LIMIT_LIKE_EXPRESSION.IS_NEGATIVE",
                    "42K0E",
                    f"The {word.lower()} expression must be equal to or greater than 0.",
                )
            out += f" {word} {self.cast(x, t.BIGINT).sql}"
        return out

    # --- FROM --------------------------------------------

    def _from(self, e: exp.Select, scope: Scope) -> str:
        node = e.args.get("from_")
        sql = ""
        if node is not None:
            sql = f" FROM {self._item(node.this, scope)}"
            sql += self._nested_joins(node.this, scope)
        for join in e.args.get("joins") or []:
            sql += self._join(join, scope)
        for lateral in e.args.get("laterals") or []:
            sql = self._lateral_view(lateral, scope, sql)
        return sql

    def _nested_joins(self, node, scope: Scope) -> str:
        return "".join(self._join(j, scope) for j in node.args.get("joins") or [])

    def _item(self, node: exp.Expression, scope: Scope) -> str:
        if isinstance(node, exp.Table):
            return self._table(node, scope)
        if isinstance(node, exp.Subquery):
            return self._subquery(node, scope)
        if isinstance(node, exp.Values):
            return self._derived(self._values(node, scope), node, scope)
        if isinstance(node, exp.Lateral):
            return self._lateral(node, scope)
        raise unsupported(f"{type(node).__name__} in FROM")

    def _derived(self, rel: Rel, node, scope: Scope, lateral: bool = False) -> str:
        here = f"q{self.fresh()}"
        alias = node.args.get("alias")
        names = [c.name for c in (alias.args.get("columns") or [])] if alias else []
        rel = Rel(rel.sql, _renamed(rel.columns, names))
        scope.sources.append(rel.source(alias.name if alias and alias.this else "", here))
        return f"{'LATERAL ' if lateral else ''}({rel.sql}) AS {here}"

    def _subquery(self, node: exp.Subquery, scope: Scope) -> str:
        refuse_other_args(
            node, {"this", "alias", "joins", "order", "limit", "offset", "with_"}
        )
        if isinstance(node.this, exp.Table):  # (a JOIN b ON ...)
            inner = self._item(node.this, scope) + self._nested_joins(node.this, scope)
            return f"({inner})"
        rel = self.query(node.this, scope.parent)
        return self._derived(self._modified(rel, node), node, scope)

    def _table(self, node: exp.Table, scope: Scope) -> str:
        refuse_other_args(node, {"this", "db", "catalog", "alias", "joins", "laterals"})
        if isinstance(node.this, exp.Anonymous):
            return self._table_function(node, scope)
        parts = [p.name for p in node.parts]
        alias = node.args.get("alias")
        here = f"q{self.fresh()}"
        given = alias.name if alias and alias.this else ""
        names = [c.name for c in (alias.args.get("columns") or [])] if alias else []
        if len(parts) == 1 and parts[0].lower() in self.ctes:
            physical, columns = self.ctes[parts[0].lower()]
            rel = Rel("", _renamed(columns, names))
            scope.sources.append(rel.source(given or parts[0], here))
            return f"{physical} AS {here}"
        view = self.session.temp_views.get(parts[0].lower()) if len(parts) == 1 else None
        if view is not None:
            rel = self.temp_view(view)
            rel = Rel(rel.sql, _renamed(rel.columns, names))
            scope.sources.append(rel.source(given or parts[0], here))
            return f"({rel.sql}) AS {here}"
        table = self.catalog.table(*self.session.qualify(parts), asked=parts)
        columns = _renamed([(n, k) for n, k in table.columns], names)
        cols = [
            (name, X(f"{here}.{ident(real)}", kind))
            for (name, kind), (real, _) in zip(columns, table.columns)
        ]
        path = () if given else (table.catalog, table.schema)
        scope.sources.append(Source((given or table.name).lower(), cols, path))
        return f"{table.physical} AS {here}"

    def _table_function(self, node: exp.Table, scope: Scope) -> str:
        call, name = node.this, str(node.this.this).lower()
        if name in GENERATORS:
            return self._generator_item(call, node.args.get("alias"), scope)
        if name != "range":
            raise unsupported(f"the table function {name}")
        args = []
        for a in call.expressions:
            x = self.cast(self.expr(a, Scope()), t.BIGINT)
            args.append(str(x.const) if isinstance(x.const, int) else x.sql)
        if not 1 <= len(args) <= 4:
            raise SqlError(
                "UNRESOLVABLE_TABLE_VALUED_FUNCTION",
                "42883",
                "Could not resolve `range` to a table-valued function. range(end), "
                "range(start, end [, step [, partitions]]) are there.",
            )
        if len(args) > 2 and args[2] == "0":
            raise SqlError("DATATYPE_MISMATCH", "42K09", "The step of range cannot be 0.")
        here = f"q{self.fresh()}"
        alias = node.args.get("alias")
        names = [c.name for c in (alias.args.get("columns") or [])] if alias else []
        rel = Rel("", _renamed([("id", t.BIGINT)], names))
        scope.sources.append(
            rel.source(alias.name if alias and alias.this else "range", here)
        )
        return f"range({', '.join(args[:3])}) AS {here}(c0)"

    def _join(self, join: exp.Join, scope: Scope) -> str:
        refuse_other_args(join, {"this", "side", "kind", "on", "using", "method"})
        side, kind = (join.args.get("side") or ""), (join.args.get("kind") or "")
        side, kind = side.upper(), kind.upper()
        semi = kind in ("SEMI", "ANTI")
        natural = (join.args.get("method") or "").upper() == "NATURAL"
        before = list(scope.visible())
        start = len(scope.sources)
        item = self._item(join.this, scope)
        item += (
            self._nested_joins(join.this, scope)
            if isinstance(join.this, exp.Table)
            else ""
        )
        right = scope.sources[start:]
        shared = [c.name for c in join.args.get("using") or []]
        if natural:
            left_names = [n.lower() for s in before for n, _ in s.columns]
            shared = [n for s in right for n, _ in s.columns if n.lower() in left_names]
        on = join.args.get("on")
        test = self.condition(on, scope) if on is not None else ""
        if shared:
            test = self._using(shared, before, right, side, semi, scope)
        for s in right:
            s.hidden = semi
        word = f"{kind} JOIN" if semi else f"{side} JOIN" if side else "JOIN"
        if not test:
            if semi or (side and not isinstance(join.this, exp.Lateral)):
                test = "true"
            else:
                return (
                    f" CROSS JOIN {item}" if not side else f" {side} JOIN {item} ON true"
                )
        return f" {word} {item} ON {test}"

    def _using(self, shared, before, right, side, semi, scope: Scope) -> str:
        tests = []
        for name in shared:
            left_scope = Scope(sources=before, merged=list(scope.merged))
            a, b = left_scope.resolve([name]), Scope(sources=right).resolve([name])
            p, q = self.meet([a, b], f"USING ({name})")
            tests.append(f"{p.sql} = {q.sql}")
            if semi:
                continue
            kept = {"RIGHT": q, "FULL": X(f"coalesce({p.sql}, {q.sql})", p.type)}.get(
                side, p
            )
            merged = [(n, x) for n, x in scope.merged if n.lower() != name.lower()]
            scope.merged = [*merged, (name, kept)]
        return " AND ".join(tests)

    # --- generators and LATERAL --------------------------------------------

    def _lateral(self, node: exp.Lateral, scope: Scope) -> str:
        if isinstance(node.this, exp.Subquery):
            rel = self.query(
                node.this.this, Scope(parent=scope.parent, sources=scope.visible())
            )
            return self._derived(rel, node, scope, lateral=True)
        if isinstance(node.this, exp.Anonymous):
            return self._generator_item(node.this, node.args.get("alias"), scope)
        raise unsupported("this LATERAL")

    def _generator_item(self, call, alias, scope: Scope) -> str:
        made = self._generated(call, scope)
        here = f"q{self.fresh()}"
        names = [c.name for c in (alias.args.get("columns") or [])] if alias else []
        columns = _renamed([(n, x.type) for n, x in made], names)
        listed = ", ".join(f"{x.sql} AS c{i}" for i, (_, x) in enumerate(made))
        rel = Rel(f"SELECT {listed}", columns)
        scope.sources.append(rel.source(alias.name if alias and alias.this else "", here))
        return f"LATERAL ({rel.sql}) AS {here}"

    def _lateral_view(self, node: exp.Lateral, scope: Scope, sql: str) -> str:
        call = node.this
        if (
            not isinstance(call, exp.Anonymous)
            or str(call.this).lower() not in GENERATORS
        ):
            raise unsupported("LATERAL VIEW of this function")
        if node.args.get("outer") and not str(call.this).lower().endswith("_outer"):
            call = exp.Anonymous(this=f"{call.this}_outer", expressions=call.expressions)
        item = self._generator_item(call, node.args.get("alias"), scope)
        return f"{sql} CROSS JOIN {item}" if sql else f" FROM {item}"

    def _generated(self, call: exp.Anonymous, scope: Scope) -> list[tuple[str, X]]:
        """The output columns of a generator, each an unnest that runs in step."""
        name = str(call.this).lower()
        outer, name = name.endswith("_outer"), name.removesuffix("_outer")
        if len(call.expressions) != 1:
            raise unsupported(f"{name} with {len(call.expressions)} arguments")
        x = self.expr(call.expressions[0], scope)
        if x.type.kind not in ("ARRAY", "MAP") or (
            name == "inline" and x.type.kind == "MAP"
        ):
            raise casts_error(name, x)
        if x.type.kind == "MAP":
            lists = [
                ("key", X(f"map_keys({x.sql})", x.type.args[0])),
                ("value", X(f"map_values({x.sql})", x.type.value)),
            ]
        elif name == "inline":
            lists = [
                (n, X(f"list_transform({x.sql}, lambda e_: (e_).{ident(n)})", k))
                for n, k in zip(x.type.element.names, x.type.element.args)
            ]
        else:
            lists = [("col", X(x.sql, x.type.element))]
        made = []
        for n, item in lists:
            items = item.sql
            if outer:
                items = f"CASE WHEN len({items}) > 0 THEN {items} ELSE [NULL] END"
            made.append((n, X(f"unnest({items})", item.type)))
        if name == "posexplode":
            size = f"len({lists[0][1].sql})"
            places = f"range(0, {size})"
            if outer:
                places = f"CASE WHEN {size} > 0 THEN {places} ELSE [NULL] END"
            made.insert(0, ("pos", X(f"CAST(unnest({places}) AS INTEGER)", t.INT)))
        return made


def casts_error(name: str, x: X) -> SqlError:
    return SqlError(
        "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
        "42K09",
        f'Cannot resolve "{name}" due to data type mismatch: needs "ARRAY" or "MAP", has '
        f'the type "{x.type}".',
    )


def _generator(node) -> bool:
    return isinstance(node, exp.Anonymous) and str(node.this).lower() in GENERATORS


def _given_names(made, given):
    if not given:
        return made
    names = [given] if isinstance(given, str) else given
    if len(names) != len(made):
        raise SqlError(
            "NUM_TABLE_VALUE_ALIASES_MISMATCH",
            "42826",
            f"The generator gives {len(made)} columns, {len(names)} names are there.",
        )
    return [(n, x) for n, (_, x) in zip(names, made)]


def _renamed(columns, names: list[str]):
    if not names:
        return list(columns)
    if len(names) != len(columns):
        raise SqlError(
            "ASSIGNMENT_ARITY_MISMATCH",
            "42802",
            f"The number of columns or variables assigned or aliased: {len(names)} does "
            f"not match the number of source expressions: {len(columns)}.",
        )
    return [(n, kind) for n, (_, kind) in zip(names, columns)]


def _mentions(cte: exp.CTE) -> bool:
    name = cte.alias.lower()
    return any(
        tab.name.lower() == name and not tab.args.get("db")
        for tab in cte.this.find_all(exp.Table)
    )


def _arity(a: int, b: int, word: str) -> SqlError:
    return SqlError(
        "NUM_COLUMNS_MISMATCH",
        "42826",
        f"{word} can only be performed on inputs with the same number of columns, but the "
        f"first input has {a} columns and the second input has {b} columns.",
    )
