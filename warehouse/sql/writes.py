# SPDX-License-Identifier: Apache-2.0
"""Statements that change something: CREATE, DROP, ALTER, INSERT, UPDATE, DELETE, MERGE."""

from __future__ import annotations

import re
from dataclasses import dataclass

import duckdb
from sqlglot import exp

from . import keys
from . import types as t
from .casts import X
from .catalog import Table, database, notes_sql, physical, schema_ident
from .commands import done
from .dialect import shown
from .errors import (
    SqlError,
    from_duckdb,
    quoted,
    schema_not_found,
    syntax_error,
    table_exists,
    table_not_found,
    unresolved_column,
    unsupported,
)
from .output import Outcome, rows_outcome
from .queries import refuse_other_args
from .scope import Rel, Scope, Source
from .types import ident

# A statement that lost a race with another one on the same table is repeated this often:
# a few writers at once then all succeed, and a livelock still ends in an error.
_ATTEMPTS = 5

_QUERIES = (exp.Select, exp.SetOperation, exp.Values, exp.Subquery)


@dataclass
class TempView:
    query: exp.Expression
    columns: list[tuple[str, t.Type]]
    catalog: str
    schema: str


def is_query(tree: exp.Expression) -> bool:
    return isinstance(tree, _QUERIES)


def run(stmt, tree: exp.Expression, compiler) -> Outcome | None:
    """The outcome of a changing statement; None for a query."""
    if is_query(tree):
        return None
    rule = _RULES.get(type(tree))
    if rule is None:
        word = stmt.sql.split(None, 1)[0] if stmt.sql.split() else ""
        if isinstance(tree, exp.Command) or word.upper() in _KNOWN_WORDS:
            raise unsupported(f"{word.upper()}")
        raise syntax_error(word, 1, 0, stmt.sql)
    return rule(stmt, tree, compiler)


_KNOWN_WORDS = ("EXPLAIN", "CACHE", "UNCACHE", "ANALYZE", "OPTIMIZE", "VACUUM", "GRANT",
                "REVOKE", "COMMENT", "COPY", "REFRESH", "CALL", "DECLARE", "BEGIN", "COMMIT",
                "ROLLBACK", "EXECUTE", "PIVOT", "KILL", "MSCK", "LIST", "PUT", "GET",
                "REMOVE", "CLONE", "RESTORE", "UNDROP")  # fmt: skip


def _parts(table: exp.Expression) -> list[str]:
    if not isinstance(table, exp.Table) or not isinstance(
        table.this, (exp.Identifier, type(None))
    ):
        raise syntax_error(shown(table))
    return [p.name for p in table.parts]


def _target(stmt, node) -> Table:
    if not isinstance(node, exp.Table):
        raise unsupported("this target")
    parts = _parts(node)
    table = stmt.engine.catalog.table(*stmt.session.qualify(parts), asked=parts)
    if table.kind == "VIEW":
        raise SqlError(
            "EXPECT_TABLE_NOT_VIEW.NO_ALTERNATIVE",
            "42809",
            f"The operation expects a table but {quoted(*parts)} is a view.",
        )
    stmt.engine.catalog.new_name(table.catalog, table.schema, table.name, parts)
    return table


def _atomically(stmt, statements: list[str]) -> list[list[tuple]]:
    """All statements in one transaction; again when another writer was faster."""
    for attempt in range(_ATTEMPTS):
        results = []
        stmt.check()
        stmt.execute("BEGIN")
        try:
            for sql in statements:
                results.append(stmt.execute(sql))
            stmt.con.execute("COMMIT")
            return results
        except BaseException as exc:
            try:
                stmt.con.execute("ROLLBACK")
            except duckdb.Error:
                pass
            if (
                not isinstance(exc, duckdb.TransactionException)
                or attempt == _ATTEMPTS - 1
            ):
                raise
    return []


def _changed(stmt, statements: list[str]) -> Outcome:
    try:
        _atomically(stmt, statements)
    finally:
        stmt.engine.catalog.changed()
    return done(stmt)


# --- CREATE --------------------------------------------


def _create(stmt, e: exp.Create, compiler) -> Outcome:
    kind = e.kind.upper()
    refuse_other_args(e, {"this", "kind", "replace", "exists", "properties", "expression",
                          "with_"})  # fmt: skip
    if kind in ("SCHEMA", "DATABASE"):
        return _create_schema(stmt, e)
    if kind == "TABLE":
        return _create_table(stmt, e, compiler)
    if kind == "VIEW":
        return _create_view(stmt, e, compiler)
    raise unsupported(f"CREATE {kind}")


def _schema_parts(stmt, table: exp.Table) -> tuple[str, str]:
    parts = _parts(table)
    if len(parts) > 2:
        raise schema_not_found(*parts)
    catalog = parts[0] if len(parts) == 2 else stmt.session.catalog
    return stmt.engine.catalog.need_catalog(catalog), parts[-1].lower()


def _create_schema(stmt, e: exp.Create) -> Outcome:
    catalog, schema = _schema_parts(stmt, e.this)
    if catalog == "samples":
        stmt.engine.catalog.new_name(catalog, "nyctaxi", "", [])
    if schema in stmt.engine.catalog.schemas(catalog):
        if e.args.get("exists"):
            return done(stmt)
        raise SqlError(
            "SCHEMA_ALREADY_EXISTS",
            "42P06",
            f"Cannot create schema {quoted(catalog, schema)} because it already exists. "
            "Choose a different name, drop the existing schema, or add the IF NOT EXISTS "
            "clause to tolerate pre-existing schema.",
        )
    return _changed(stmt, [f"CREATE SCHEMA {database(catalog)}.{schema_ident(schema)}"])


def _properties(e: exp.Create) -> tuple[str, bool]:
    """The comment, and whether the thing is temporary."""
    comment, temporary = "", False
    props = e.args.get("properties")
    for p in props.expressions if props else []:
        if isinstance(p, exp.SchemaCommentProperty):
            comment = p.this.name
        elif isinstance(p, exp.TemporaryProperty):
            temporary = True
        elif isinstance(p, exp.FileFormatProperty):
            if p.name.lower() not in ("delta", "iceberg", "parquet"):
                raise unsupported(f"USING {p.name}", "Leave USING away.")
        elif not isinstance(p, (exp.Property, exp.PartitionedByProperty, exp.ClusteredByProperty,
                                exp.ClusterProperty)) or type(p) is exp.LocationProperty:  # fmt: skip
            raise unsupported(type(p).__name__.removesuffix("Property").upper())
    return comment, temporary


def _create_table(stmt, e: exp.Create, compiler) -> Outcome:
    schema_node = e.this if isinstance(e.this, exp.Schema) else None
    parts = _parts(schema_node.this if schema_node else e.this)
    comment, temporary = _properties(e)
    if temporary:
        raise unsupported("temporary tables", "Use CREATE TEMPORARY VIEW.")
    catalog, schema, name = (p.lower() for p in stmt.session.qualify(parts))
    target = stmt.engine.catalog.new_name(catalog, schema, name, parts)
    old = stmt.engine.catalog.find(catalog, schema, name)
    word = _word(e, old, parts)
    if word is None:
        return done(stmt)
    statements = []
    info = {"comment": comment} if comment else {}
    if e.expression is not None and not (schema_node and schema_node.expressions):
        rel = compiler.query(e.expression, Scope())
        columns, comments = _unique(rel.columns), []
        statements.append(_create_as(word, target, rel, columns))
    else:
        if schema_node is None or e.expression is not None:
            raise unsupported("CREATE TABLE with this mix of columns and a query")
        columns, comments, lines, keys = _columns(schema_node, compiler)
        info |= keys
        statements.append(f"{word} TABLE {target} ({', '.join(lines)})")
    statements += notes_sql(target, "TABLE", columns, comments, info)
    return _creating(stmt, statements, parts)


def _creating(stmt, statements, parts) -> Outcome:
    try:
        return _changed(stmt, statements)
    except duckdb.CatalogException as exc:
        if "already exists" in str(exc):
            raise table_exists(*parts) from None
        raise


def _word(e: exp.Create, old: Table | None, parts) -> str | None:
    """CREATE or CREATE OR REPLACE; None when the old one stays."""
    if old is None:
        return "CREATE"
    if e.args.get("exists"):
        return None
    if not e.args.get("replace"):
        raise table_exists(*parts)
    if old.kind != e.kind.upper():
        raise SqlError(
            "EXPECT_VIEW_NOT_TABLE.NO_ALTERNATIVE" if old.kind == "TABLE"
            else "EXPECT_TABLE_NOT_VIEW.NO_ALTERNATIVE",
            "42809",
            f"{quoted(*parts)} is a {old.kind.lower()}.",
        )  # fmt: skip
    return "CREATE OR REPLACE"


def _create_as(word: str, target: str, rel: Rel, columns) -> str:
    listed = ", ".join(
        f"CAST(c{i} AS {kind.duck()}) AS {ident(name)}"
        for i, (name, kind) in enumerate(columns)
    )
    return f"{word} TABLE {target} AS SELECT {listed} FROM ({rel.sql}) AS s_"


def _unique(columns):
    seen = set()
    for name, _ in columns:
        if name.lower() in seen:
            raise SqlError(
                "COLUMN_ALREADY_EXISTS",
                "42711",
                f"The column {quoted(name)} already exists. Choose another name or rename "
                "the existing column.",
            )
        seen.add(name.lower())
    return columns


def _columns(schema: exp.Schema, compiler):
    columns, comments, lines, info = [], [], [], {}
    for node in schema.expressions:
        if (
            isinstance(node, exp.ColumnDef)
            and node.name
            and node.args.get("kind") is not None
        ):
            kind = compiler.type_of(node.args["kind"])
            line, comment = _constraints(node, kind, compiler, info)
            columns.append((node.name, kind))
            comments.append(comment)
            lines.append(line)
        elif isinstance(node, (exp.PrimaryKey, exp.Constraint, exp.ForeignKey)):
            keys.collect(node, info, compiler.session.qualify)
        else:
            raise unsupported(f"{shown(node)} in CREATE TABLE")
    _unique(columns)
    keys.settle(info, [name for name, _ in columns])
    return columns, comments, lines, info


def _constraints(node: exp.ColumnDef, kind: t.Type, compiler, info) -> tuple[str, str]:
    line, comment = f"{ident(node.name)} {kind.duck()}", ""
    for c in node.args.get("constraints") or []:
        rule = c.kind
        if isinstance(rule, exp.NotNullColumnConstraint):
            line += "" if rule.args.get("allow_null") else " NOT NULL"
        elif isinstance(rule, exp.CommentColumnConstraint):
            comment = rule.this.name
        elif isinstance(rule, exp.DefaultColumnConstraint):
            value = compiler.value(rule.this, Scope(), kind)
            line += f" DEFAULT {value.sql}"
        elif not keys.of_column(node.name, c, info, compiler.session.qualify):
            raise unsupported(f"the column property {shown(c)}")
    return line, comment


def _create_view(stmt, e: exp.Create, compiler) -> Outcome:
    node = e.this if isinstance(e.this, exp.Schema) else None
    parts = _parts(node.this if node else e.this)
    comment, temporary = _properties(e)
    rel = compiler.query(e.expression, Scope())
    columns, comments = rel.columns, []
    if node and node.expressions:
        columns, comments = _view_columns(node, rel)
    _unique(columns)
    if temporary:
        return _temp_view(stmt, e, parts, columns)
    if compiler.used_parameters:
        raise unsupported("parameters in a view")
    catalog, schema, name = (p.lower() for p in stmt.session.qualify(parts))
    target = stmt.engine.catalog.new_name(catalog, schema, name, parts)
    old = stmt.engine.catalog.find(catalog, schema, name)
    word = _word(e, old, parts)
    if word is None:
        return done(stmt)
    _refuse_itself(stmt, e.expression, (catalog, schema, name))
    listed = ", ".join(
        f"CAST(c{i} AS {kind.duck()}) AS {ident(n)}"
        for i, (n, kind) in enumerate(columns)
    )
    statements = [f"{word} VIEW {target} AS SELECT {listed} FROM ({rel.sql}) AS s_"]
    info = {"sql": e.expression.sql("databricks")}
    if comment:
        info["comment"] = comment
    statements += notes_sql(target, "VIEW", columns, comments, info)
    return _creating(stmt, statements, parts)


def _refuse_itself(stmt, query: exp.Expression, own: tuple[str, str, str]) -> None:
    for table in query.find_all(exp.Table):
        if isinstance(table.this, exp.Identifier):
            name = tuple(p.lower() for p in stmt.session.qualify(_parts(table)))
            if name == own:
                raise SqlError(
                    "RECURSIVE_VIEW",
                    "42K0H",
                    f"Recursive view {quoted(*own)} detected (cycle: {quoted(*own)}).",
                )


def _view_columns(node: exp.Schema, rel: Rel):
    if len(node.expressions) != len(rel.columns):
        raise SqlError(
            "CREATE_VIEW_COLUMN_ARITY_MISMATCH",
            "21S01",
            f"Cannot create view: {len(node.expressions)} columns are named, the query has "
            f"{len(rel.columns)}.",
        )
    columns, comments = [], []
    for c, (_, kind) in zip(node.expressions, rel.columns):
        columns.append((c.name, kind))
        found = [k.kind.this.name for k in c.args.get("constraints") or []
                 if isinstance(k.kind, exp.CommentColumnConstraint)]  # fmt: skip
        comments.append(found[0] if found else "")
    return columns, comments


def _temp_view(stmt, e: exp.Create, parts, columns) -> Outcome:
    if len(parts) != 1:
        raise SqlError(
            "TEMP_VIEW_NAME_TOO_MANY_NAME_PARTS",
            "428EK",
            f"CREATE TEMPORARY VIEW takes one name part, {quoted(*parts)} has more.",
        )
    name = parts[0].lower()
    views = stmt.session.temp_views
    if name in views and not e.args.get("replace"):
        if e.args.get("exists"):
            return done(stmt)
        raise SqlError(
            "TEMP_TABLE_OR_VIEW_ALREADY_EXISTS",
            "42P07",
            f"Cannot create the temporary view {quoted(name)} because it already exists.",
        )
    query = _bound(e.expression.copy(), views)
    views[name] = TempView(query, columns, stmt.session.catalog, stmt.session.schema)
    return done(stmt)


def _bound(query: exp.Expression, views) -> exp.Expression:
    """The query with the temporary views it reads put in, so that it keeps its meaning."""
    if next(query.find_all(exp.Placeholder), None):
        raise unsupported("parameters in a view")
    for table in list(query.find_all(exp.Table)):
        view = views.get(table.name.lower()) if len(table.parts) == 1 else None
        if view is not None:
            alias = table.args.get("alias") or exp.TableAlias(
                this=exp.to_identifier(table.name)
            )
            table.replace(exp.Subquery(this=view.query.copy(), alias=alias))
    return query


# --- DROP, TRUNCATE, ALTER --------------------------------------------


def _drop(stmt, e: exp.Drop, compiler) -> Outcome:
    kind = (e.args.get("kind") or "").upper()
    targets = e.args.get("tables") or [e.this]
    if kind in ("SCHEMA", "DATABASE"):
        return _drop_schema(stmt, e, targets[0])
    if kind not in ("TABLE", "VIEW"):
        raise unsupported(f"DROP {kind}")
    parts = _parts(targets[0])
    if len(parts) == 1 and parts[0].lower() in stmt.session.temp_views and kind == "VIEW":
        del stmt.session.temp_views[parts[0].lower()]
        return done(stmt)
    found = stmt.engine.catalog.find(*stmt.session.qualify(parts))
    if found is None:
        if e.args.get("exists"):
            return done(stmt)
        raise table_not_found(*parts)
    if found.kind != kind:
        other = "VIEW_NOT_TABLE" if kind == "VIEW" else "TABLE_NOT_VIEW"
        raise SqlError(
            f"EXPECT_{other}.NO_ALTERNATIVE",
            "42809",
            f"{quoted(*parts)} is a {found.kind.lower()}; use DROP {found.kind}.",
        )
    stmt.engine.catalog.new_name(found.catalog, found.schema, found.name, parts)
    try:
        return _changed(stmt, [f"DROP {kind} {found.physical}"])
    except duckdb.CatalogException:
        raise table_not_found(*parts) from None


def _drop_schema(stmt, e: exp.Drop, node) -> Outcome:
    catalog, schema = _schema_parts(stmt, node)
    if schema not in stmt.engine.catalog.schemas(catalog):
        if e.args.get("exists"):
            return done(stmt)
        raise schema_not_found(catalog, schema)
    stmt.engine.catalog.new_name(catalog, schema, "", [])
    if not e.args.get("cascade") and stmt.engine.catalog.tables(catalog, schema):
        raise SqlError(
            "SCHEMA_NOT_EMPTY",
            "2BP01",
            f"Cannot drop a schema {quoted(catalog, schema)} because it contains objects. "
            "Use DROP SCHEMA ... CASCADE to drop the schema and all its objects.",
        )
    return _changed(
        stmt, [f"DROP SCHEMA {database(catalog)}.{schema_ident(schema)} CASCADE"]
    )


def _truncate(stmt, e: exp.TruncateTable, compiler) -> Outcome:
    table = _target(stmt, e.expressions[0])
    return _changed(stmt, [f"DELETE FROM {table.physical}"])


def _alter(stmt, e: exp.Alter, compiler) -> Outcome:
    table = _target(stmt, e.this)
    statements = []
    for action in e.args.get("actions") or []:
        statements += _action(stmt, table, action, compiler)
    return _changed(stmt, statements)


def _action(stmt, table: Table, action, compiler) -> list[str]:
    if isinstance(action, exp.Schema):
        return [s for a in action.expressions for s in _action(stmt, table, a, compiler)]
    if isinstance(action, exp.ColumnDef) and action.args.get("kind") is not None:
        kind = compiler.type_of(action.args["kind"])
        line, comment = _constraints(action, kind, compiler, {})
        if "NOT NULL" in line:
            raise unsupported("ADD COLUMN with NOT NULL")
        _unique([*table.columns, (action.name, kind)])
        note = notes_sql(table.physical, "TABLE", [(action.name, kind)], [comment], {})
        return [f"ALTER TABLE {table.physical} ADD COLUMN {line}", *note]
    if (
        isinstance(action, exp.Drop)
        and (action.args.get("kind") or "").upper() == "COLUMN"
    ):
        nodes = action.args.get("tables") or [action.this]
        return [
            f"ALTER TABLE {table.physical} DROP COLUMN {ident(_real(table, n.name))}"
            for n in nodes
        ]
    if isinstance(action, (exp.AddConstraint, exp.Drop, exp.Command)):
        return _alter_key(stmt, table, action)
    if isinstance(action, exp.AlterRename):
        parts = [p.lower() for p in stmt.session.qualify(_parts(action.this))]
        if parts[:2] != [table.catalog, table.schema]:
            raise unsupported("RENAME into another schema")
        if stmt.engine.catalog.find(*parts):
            raise table_exists(*parts)
        return [f"ALTER TABLE {table.physical} RENAME TO {ident(parts[2])}"]
    if isinstance(action, exp.RenameColumn):
        old = _real(table, action.this.name)
        new = action.args["to"].name
        return [
            f"ALTER TABLE {table.physical} RENAME COLUMN {ident(old)} TO {ident(new)}"
        ]
    raise unsupported(f"ALTER TABLE ... {shown(action)}")


def _alter_key(stmt, table: Table, action) -> list[str]:
    """ADD CONSTRAINT, DROP CONSTRAINT, DROP PRIMARY KEY."""
    info = dict(table.info)
    if isinstance(action, exp.AddConstraint):
        info["foreign_keys"] = list(info.get("foreign_keys", []))
        for node in action.expressions:
            keys.collect(node, info, stmt.session.qualify)
        keys.settle(info, [name for name, _ in table.columns])
    elif isinstance(action, exp.Drop) and action.args.get("kind") == "CONSTRAINT":
        (named,) = action.args["tables"]
        info = keys.without(info, named.name, bool(action.args.get("exists")), table)
    elif shown(action).upper().split() == ["DROP", "PRIMARY", "KEY"]:
        info = keys.without(info, None, False, table)
    else:
        raise unsupported(f"ALTER TABLE ... {shown(action)}")
    return notes_sql(table.physical, "TABLE", [], [], info or {"keys": None})


# --- INSERT, UPDATE, DELETE, MERGE --------------------------------------------


def _real(table: Table, name: str) -> str:
    for real, _ in table.columns:
        if real.lower() == name.lower():
            return real
    raise unresolved_column(quoted(name), [quoted(n) for n, _ in table.columns])


def _kind(table: Table, name: str) -> t.Type:
    return dict(table.columns)[name]


def _dml(stmt, statements: list[str], names: tuple[str, ...], count) -> Outcome:
    results = _atomically(stmt, statements)
    values = count(results)
    columns = [(n, t.BIGINT) for n in names]
    return rows_outcome("dml", columns, [values], stmt.view.timezone, values[0])


def _insert(stmt, e: exp.Insert, compiler) -> Outcome:
    refuse_other_args(
        e, {"this", "expression", "overwrite", "by_name", "with_", "source"}
    )
    schema = e.this if isinstance(e.this, exp.Schema) else None
    table = _target(stmt, schema.this if schema else e.this)
    names = [_real(table, c.name) for c in schema.expressions] if schema else []
    prefix = compiler._with(e.args.get("with_"), None)
    rel = compiler.query(e.expression or e.args["source"], Scope())
    if e.args.get("by_name"):
        names = [_real(table, n) for n, _ in rel.columns]
    names = names or [n for n, _ in table.columns]
    if len(names) != len(rel.columns):
        few = len(rel.columns) < len(names)
        raise SqlError(
            "INSERT_COLUMN_ARITY_MISMATCH."
            + ("NOT_ENOUGH_DATA_COLUMNS" if few else "TOO_MANY_DATA_COLUMNS"),
            "21S01",
            f"Cannot write to {quoted(table.catalog, table.schema, table.name)}, the reason "
            f"is {'not enough' if few else 'too many'} data columns: table columns: "
            f"{', '.join(quoted(n) for n in names)}. Data columns: "
            f"{', '.join(quoted(n) for n, _ in rel.columns)}.",
        )
    values = ", ".join(
        compiler.cast(X(f"c{i}", kind), _kind(table, n)).sql
        for i, (n, (_, kind)) in enumerate(zip(names, rel.columns))
    )
    heads = ", ".join(ident(n) for n in names)
    sql = (
        f"INSERT INTO {table.physical} ({heads}) {prefix}SELECT {values} "
        f"FROM ({rel.sql}) AS s_"
    )
    clear = [f"DELETE FROM {table.physical}"] if e.args.get("overwrite") else []
    counts = ("num_affected_rows", "num_inserted_rows")
    return _dml(stmt, [*clear, sql], counts, lambda r: (r[-1][0][0], r[-1][0][0]))


def _scoped(table: Table, node, here: str) -> Scope:
    alias = node.args.get("alias")
    given = alias.name if alias and alias.this else ""
    cols = [(n, X(f"{here}.{ident(n)}", k)) for n, k in table.columns]
    path = () if given else (table.catalog, table.schema)
    return Scope(sources=[Source((given or table.name).lower(), cols, path)])


def _assignments(table: Table, items, scope: Scope, compiler) -> str:
    parts = []
    for item in items:
        if not isinstance(item, exp.EQ) or not isinstance(item.this, exp.Column):
            raise unsupported(f"the assignment {shown(item)}")
        name = _real(table, item.this.name)
        value = compiler.value(item.expression, scope, _kind(table, name))
        parts.append(f"{ident(name)} = {value.sql}")
    return ", ".join(parts)


def _update(stmt, e: exp.Update, compiler) -> Outcome:
    refuse_other_args(e, {"this", "expressions", "where"})
    table = _target(stmt, e.this)
    scope = _scoped(table, e.this, "q0")
    sets = _assignments(table, e.expressions, scope, compiler)
    where = e.args.get("where")
    tail = f" WHERE {compiler.condition(where.this, scope)}" if where else ""
    sql = f"UPDATE {table.physical} AS q0 SET {sets}{tail}"
    return _dml(stmt, [sql], ("num_affected_rows",), lambda r: (r[0][0][0],))


def _delete(stmt, e: exp.Delete, compiler) -> Outcome:
    refuse_other_args(e, {"this", "where"})
    table = _target(stmt, e.this)
    scope = _scoped(table, e.this, "q0")
    where = e.args.get("where")
    tail = f" WHERE {compiler.condition(where.this, scope)}" if where else ""
    sql = f"DELETE FROM {table.physical} AS q0{tail}"
    return _dml(stmt, [sql], ("num_affected_rows",), lambda r: (r[0][0][0],))


def _merge(stmt, e: exp.Merge, compiler) -> Outcome:
    refuse_other_args(e, {"this", "using", "on", "whens", "with_"})
    table = _target(stmt, e.this)
    prefix = compiler._with(e.args.get("with_"), None)
    target = _scoped(table, e.this, "q0")
    source = Scope()
    using = compiler._item(e.args["using"], source)
    both = Scope(sources=[*target.sources, *source.sources])
    test = compiler.condition(e.args["on"], both)
    arms = [
        _when(table, when, target, source, both, compiler)
        for when in e.args["whens"].expressions
    ]
    sql = (
        f"{prefix}MERGE INTO {table.physical} AS q0 USING {using} ON {test} "
        f"{' '.join(arms)} RETURNING merge_action"
    )
    names = ("num_affected_rows", "num_updated_rows", "num_deleted_rows",
             "num_inserted_rows")  # fmt: skip

    def count(results):
        actions = [r[0] for r in results[-1]]
        made = [
            sum(a == word for a in actions) for word in ("UPDATE", "DELETE", "INSERT")
        ]
        return (sum(made), *made)

    return _dml(stmt, [sql], names, count)


def _when(table: Table, when: exp.When, target, source, both, compiler) -> str:
    matched, by_source = when.args.get("matched"), when.args.get("source")
    scope = both if matched else target if by_source else source
    head = "WHEN MATCHED" if matched else "WHEN NOT MATCHED"
    head += " BY SOURCE" if by_source and not matched else ""
    condition = when.args.get("condition")
    if condition is not None:
        head += f" AND {compiler.condition(condition, scope)}"
    then = when.args["then"]
    if isinstance(then, exp.Var) and then.name.upper() == "DELETE":
        return f"{head} THEN DELETE"
    if isinstance(then, exp.Update):
        items = then.expressions
        if len(items) == 1 and isinstance(items[0], exp.Star):
            sets = ", ".join(
                f"{ident(n)} = {compiler.cast(source.resolve([n]), k).sql}"
                for n, k in table.columns
            )
        else:
            sets = _assignments(table, items, scope, compiler)
        return f"{head} THEN UPDATE SET {sets}"
    if isinstance(then, exp.Insert):
        return f"{head} THEN INSERT {_merge_insert(table, then, source, compiler)}"
    raise unsupported(f"MERGE ... {shown(then)}")


def _merge_insert(table: Table, then: exp.Insert, source: Scope, compiler) -> str:
    if isinstance(then.this, exp.Star):
        names = [n for n, _ in table.columns]
        values = [compiler.cast(source.resolve([n]), k).sql for n, k in table.columns]
    else:
        names = [_real(table, c.name) for c in then.this.expressions]
        values = [
            compiler.value(v, source, _kind(table, n)).sql
            for v, n in zip(then.expression.expressions, names)
        ]
        if len(names) != len(then.expression.expressions):
            raise SqlError("INSERT_COLUMN_ARITY_MISMATCH", "21S01", "MERGE INSERT arity.")
    heads = ", ".join(ident(n) for n in names)
    return f"({heads}) VALUES ({', '.join(values)})"


_RULES = {
    exp.Create: _create, exp.Drop: _drop, exp.TruncateTable: _truncate,
    exp.Alter: _alter, exp.Insert: _insert, exp.Update: _update, exp.Delete: _delete,
    exp.Merge: _merge,
}  # fmt: skip

__all__ = ["TempView", "from_duckdb", "physical", "re", "run"]
