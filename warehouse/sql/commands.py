# SPDX-License-Identifier: Apache-2.0
"""Statements the warehouse answers itself: SHOW, DESCRIBE, USE, SET, RESET."""

from __future__ import annotations

import re

from sqlglot.tokens import TokenType

from . import confs, functions
from . import types as t
from .catalog import Table
from .dialect import parse, tokens
from .errors import SqlError, schema_not_found, syntax_error, table_not_found, unsupported
from .output import Outcome, rows_outcome
from .scope import Scope

_WORDS = ("SHOW", "DESCRIBE", "DESC", "USE", "SET", "RESET")


class Words:
    """The words of a command, read from left to right."""

    def __init__(self, sql: str, toks):
        self.sql = sql
        self.toks = toks
        self.at = 0

    def peek(self) -> str:
        return self.toks[self.at].text.upper() if self.at < len(self.toks) else ""

    def done(self) -> bool:
        return self.at >= len(self.toks)

    def accept(self, *words: str) -> bool:
        if self.peek() not in words or self.done() or self._quoted():
            return False
        self.at += 1
        return True

    def _quoted(self) -> bool:
        return self.toks[self.at].token_type in (TokenType.IDENTIFIER, TokenType.STRING)

    def fail(self) -> SqlError:
        if self.done():
            return syntax_error("", 1, max(len(self.sql) - 1, 0), self.sql)
        tok = self.toks[self.at]
        return syntax_error(tok.text, tok.line, max(tok.col - len(tok.text), 0), self.sql)

    def expect(self, *words: str) -> None:
        if not self.accept(*words):
            raise self.fail()

    def end(self) -> None:
        if not self.done():
            raise self.fail()

    def name(self) -> list[str]:
        """a.b.c"""
        parts = []
        while True:
            if self.done():
                raise self.fail()
            tok = self.toks[self.at]
            if tok.token_type != TokenType.IDENTIFIER and not re.match(r"\w", tok.text):
                raise self.fail()
            self.at += 1
            parts += (
                [tok.text]
                if tok.token_type == TokenType.IDENTIFIER
                else tok.text.split(".")
            )
            if self.peek() != "." or self.done():
                return parts
            self.at += 1

    def pattern(self):
        """[LIKE] 'a*|b' as a test of a name."""
        self.accept("LIKE")
        if self.done():
            return lambda name: True
        if self.toks[self.at].token_type != TokenType.STRING:
            raise self.fail()
        text = self.toks[self.at].text
        self.at += 1
        return glob(text)


def glob(pattern: str):
    parts = [
        ".*".join(re.escape(p) for p in re.split(r"[*%]", alternative.strip()))
        for alternative in pattern.split("|")
    ]
    test = re.compile("|".join(f"(?:{p})" for p in parts), re.I)
    return lambda name: test.fullmatch(name) is not None


def run(stmt) -> Outcome | None:
    sql = stmt.sql
    m = re.match(r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*([A-Za-z]+)", sql, re.S)
    word = m[1].upper() if m else ""
    if word in ("SET", "RESET"):
        return _settings(stmt, word, sql[m.end() :])
    if word not in _WORDS:
        return None
    # apart from its first word: sqlglot takes all of a SHOW for one text
    words = Words(sql[m.end() :], tokens(sql[m.end() :]))
    while words.toks and words.toks[-1].token_type == TokenType.SEMICOLON:
        words.toks.pop()
    if word == "SHOW":
        return _show(stmt, words)
    if word == "USE":
        return _use(stmt, words)
    return _describe(stmt, words)


def _strings(stmt, names, rows) -> Outcome:
    columns = [(n, t.STRING) if isinstance(n, str) else n for n in names]
    return rows_outcome("query", columns, rows, stmt.view.timezone)


def done(stmt) -> Outcome:
    return rows_outcome("ddl", [("Result", t.STRING)], [], stmt.view.timezone)


# --- SET --------------------------------------------


def _settings(stmt, word: str, rest: str) -> Outcome:
    session, rest = stmt.session, rest.strip().rstrip(";").strip()
    if word == "RESET":
        if rest:
            session.confs.pop(confs.canonical(rest) or rest, None)
        else:
            session.confs.clear()
        return done(stmt)
    pair = ("key", "value")
    zone = re.match(r"(?is)time\s+zone\b\s*(.*)$", rest)
    if zone:
        return _set_zone(stmt, zone[1].strip())
    if not rest:
        return _strings(stmt, pair, sorted(session.confs.items()))
    if rest.lower() == "-v":
        names = ("key", "value", "meaning", "Since version")
        rows = [
            (k, session.confs.get(k, d), why, "") for k, (d, why) in confs.KNOWN.items()
        ]
        return _strings(stmt, names, rows)
    key, eq, value = rest.partition("=")
    key = key.strip().strip("`")
    if not re.fullmatch(r"[\w.:\-]+", key):
        if re.match(r"(?i)(var|variable)\b", key) or "(" in key:
            raise unsupported("session variables", "Use parameters.")
        raise syntax_error(key.split()[0] if key.split() else "", 1, 4, stmt.sql)
    if eq:
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        _, value = session.set_conf(key, value)
        return _strings(stmt, pair, [(key, value)])
    name = confs.canonical(key)
    if name is None:
        raise SqlError(
            "CONFIG_NOT_AVAILABLE", "42K0I", f"Configuration {key} is not available."
        )
    default = confs.KNOWN.get(name, ("<undefined>",))[0]
    return _strings(stmt, pair, [(key, session.confs.get(name, default))])


def _set_zone(stmt, value: str) -> Outcome:
    if value.upper() == "LOCAL":
        value = confs.DEFAULT_ZONE
    elif len(value) > 1 and value[0] in "'\"" and value[-1] == value[0]:
        value = value[1:-1]
    elif value.upper() != "UTC":
        raise unsupported(
            "SET TIME ZONE with an interval", "Write SET TIME ZONE '+02:00'."
        )
    stmt.session.set_conf("TIMEZONE", value)
    return _strings(stmt, ("key", "value"), [("spark.sql.session.timeZone", value)])


# --- USE --------------------------------------------


def _use(stmt, words: Words) -> Outcome:
    session, catalog = stmt.session, stmt.engine.catalog
    if words.accept("CATALOG"):
        parts = words.name()
        words.end()
        name = catalog.need_catalog(parts[0])
        session.catalog, session.schema = name, "default"
        return done(stmt)
    words.accept("SCHEMA", "DATABASE", "NAMESPACE")
    parts = words.name()
    words.end()
    if len(parts) > 2:
        raise schema_not_found(*parts)
    where = parts[0] if len(parts) == 2 else session.catalog
    name, schema = catalog.need_schema(where, parts[-1])
    session.catalog, session.schema = name, schema
    return done(stmt)


# --- SHOW --------------------------------------------


def _show(stmt, words: Words) -> Outcome:
    catalog = stmt.engine.catalog
    if words.accept("CATALOGS"):
        test = words.pattern()
        words.end()
        return _strings(stmt, ("catalog",), [(n,) for n in catalog.catalogs() if test(n)])
    if words.accept("SCHEMAS", "DATABASES"):
        where = words.name()[0] if words.accept("IN", "FROM") else stmt.session.catalog
        test = words.pattern()
        words.end()
        names = catalog.schemas(catalog.need_catalog(where))
        return _strings(stmt, ("databaseName",), [(n,) for n in names if test(n)])
    if words.accept("TABLES"):
        return _show_tables(stmt, words)
    if words.accept("VIEWS"):
        return _show_views(stmt, words)
    if words.accept("COLUMNS"):
        return _show_columns(stmt, words)
    if words.accept("CREATE"):
        words.expect("TABLE", "VIEW")
        table = _found(stmt, words.name())
        words.end()
        return _strings(stmt, ("createtab_stmt",), [(create_text(table),)])
    words.accept("ALL", "SYSTEM")
    if words.accept("FUNCTIONS"):
        test = words.pattern()
        words.end()
        return _strings(stmt, ("function",), [(n,) for n in functions.names() if test(n)])
    raise unsupported(f"SHOW {words.peek()}".rstrip())


def _namespace(stmt, words: Words) -> tuple[str, str]:
    if not words.accept("IN", "FROM"):
        return stmt.session.catalog, stmt.session.schema
    parts = words.name()
    where = parts[0] if len(parts) > 1 else stmt.session.catalog
    return stmt.engine.catalog.need_schema(where, parts[-1])


def _show_tables(stmt, words: Words) -> Outcome:
    where = _namespace(stmt, words)
    test = words.pattern()
    words.end()
    found = stmt.engine.catalog.tables(*where)
    rows = [(x.schema, x.name, False) for x in found if test(x.name)]
    rows += [("", n, True) for n in sorted(stmt.session.temp_views) if test(n)]
    names = ("database", "tableName", ("isTemporary", t.BOOLEAN))
    return _strings(stmt, names, rows)


def _show_views(stmt, words: Words) -> Outcome:
    where = _namespace(stmt, words)
    test = words.pattern()
    words.end()
    found = stmt.engine.catalog.tables(*where)
    rows = [
        (x.schema, x.name, False, False)
        for x in found
        if x.kind == "VIEW" and test(x.name)
    ]
    rows += [("", n, True, False) for n in sorted(stmt.session.temp_views) if test(n)]
    flags = (("isTemporary", t.BOOLEAN), ("isMaterialized", t.BOOLEAN))
    return _strings(stmt, ("namespace", "viewName", *flags), rows)


def _show_columns(stmt, words: Words) -> Outcome:
    words.expect("IN", "FROM")
    parts = words.name()
    if words.accept("IN", "FROM"):
        parts = words.name() + parts
    words.end()
    return _strings(stmt, ("col_name",), [(n,) for n, _ in _columns(stmt, parts)[0]])


def create_text(table: Table) -> str:
    if table.kind == "VIEW":
        names = ",\n  ".join(n for n, _ in table.columns)
        return f"CREATE VIEW {table.full} (\n  {names})\nAS {table.info.get('sql', '')}\n"
    lines = []
    for i, (name, kind) in enumerate(table.columns):
        line = f"  {name} {kind.sql_name()}"
        line += "" if table.nullable[i] else " NOT NULL"
        comment = table.comments[i].replace("'", "\\'")
        lines.append(line + (f" COMMENT '{comment}'" if comment else ""))
    text = f"CREATE TABLE {table.full} (\n" + ",\n".join(lines) + ")\nUSING delta\n"
    if table.info.get("comment"):
        text += "COMMENT '" + table.info["comment"].replace("'", "\\'") + "'\n"
    return text


# --- DESCRIBE --------------------------------------------


def _found(stmt, parts: list[str]) -> Table:
    return stmt.engine.catalog.table(*stmt.session.qualify(parts), asked=parts)


def _columns(stmt, parts: list[str]):
    view = stmt.session.temp_views.get(parts[0].lower()) if len(parts) == 1 else None
    if view is not None:
        return view.columns, [""] * len(view.columns), None
    table = _found(stmt, parts)
    return table.columns, table.comments, table


def _describe(stmt, words: Words) -> Outcome:
    if words.accept("CATALOG"):
        words.accept("EXTENDED")
        name = stmt.engine.catalog.need_catalog(words.name()[0])
        words.end()
        rows = [("Catalog Name", name), ("Comment", ""), ("Owner", "lakebeat")]
        return _strings(stmt, ("info_name", "info_value"), rows)
    if words.accept("SCHEMA", "DATABASE"):
        return _describe_schema(stmt, words)
    if words.accept("FUNCTION"):
        raise unsupported("DESCRIBE FUNCTION")
    if words.peek() in ("QUERY", "SELECT", "WITH", "VALUES"):
        return _describe_query(stmt, words)
    words.accept("TABLE")
    extended = words.accept("EXTENDED", "FORMATTED")
    parts = words.name()
    if words.peek() == "AS":
        raise words.fail()
    words.end()
    columns, comments, table = _columns(stmt, parts)
    rows = [(n, k.simple_name(), c or None) for (n, k), c in zip(columns, comments)]
    if extended and table is not None:
        rows += _details(table)
    return _strings(stmt, ("col_name", "data_type", "comment"), rows)


def _details(table: Table):
    return [
        ("", "", ""),
        ("# Detailed Table Information", "", ""),
        ("Catalog", table.catalog, ""),
        ("Database", table.schema, ""),
        ("Table", table.name, ""),
        ("Type", "MANAGED" if table.kind == "TABLE" else "VIEW", ""),
        ("Comment", table.info.get("comment", ""), ""),
        ("Provider", "delta" if table.kind == "TABLE" else "", ""),
    ]


def _describe_schema(stmt, words: Words) -> Outcome:
    words.accept("EXTENDED")
    parts = words.name()
    words.end()
    where = parts[0] if len(parts) > 1 else stmt.session.catalog
    catalog, schema = stmt.engine.catalog.need_schema(where, parts[-1])
    rows = [("Catalog Name", catalog), ("Namespace Name", schema), ("Comment", ""),
            ("Owner", "lakebeat")]  # fmt: skip
    return _strings(
        stmt, ("database_description_item", "database_description_value"), rows
    )


def _describe_query(stmt, words: Words) -> Outcome:
    from .compiler import Compiler

    words.accept("QUERY")
    if words.done():
        raise words.fail()
    tree = parse(words.sql[words.toks[words.at].start :])
    rel = Compiler(stmt.view, [], 0).query(tree, Scope())
    rows = [(n, k.simple_name(), None) for n, k in rel.columns]
    return _strings(stmt, ("col_name", "data_type", "comment"), rows)


__all__ = ["create_text", "done", "glob", "run", "table_not_found"]
