# SPDX-License-Identifier: Apache-2.0
"""Statements the warehouse answers itself: SET, RESET, USE, SHOW; DESCRIBE is in
describe.py, the forms of SHOW that only warehouses have in shows.py.
"""

from __future__ import annotations

import re

from sqlglot.tokens import TokenType

from . import confs, functions
from . import types as t
from .catalog import Table
from .dialect import tokens
from .errors import SqlError, schema_not_found, syntax_error, unsupported
from .output import Outcome, rows_outcome

_STAGING = ("PUT", "GET", "REMOVE")
_WORDS = ("SHOW", "DESCRIBE", "DESC", "USE", "SET", "RESET", *_STAGING)


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
    """The pattern of a SHOW as a test: * any run, . any one character, | alternatives."""
    parts = [
        re.sub(r"\\?[*%]|\\?\.", _wild, re.escape(alternative.strip()))
        for alternative in pattern.split("|")
    ]
    test = re.compile("|".join(f"(?:{p})" for p in parts), re.I | re.S)
    return lambda name: test.fullmatch(name) is not None


def _wild(found: re.Match) -> str:
    return "." if found[0].endswith(".") else ".*"


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
    if word in _STAGING:
        from . import staging

        return staging.run(stmt, word, words)
    from .describe import describe

    return describe(stmt, words)


def strings(stmt, names, rows) -> Outcome:
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
        return strings(stmt, pair, sorted(session.confs.items()))
    if rest.lower() == "-v":
        names = ("key", "value", "meaning", "Since version")
        rows = [
            (k, session.confs.get(k, d), why, "") for k, (d, why) in confs.KNOWN.items()
        ]
        return strings(stmt, names, rows)
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
        return strings(stmt, pair, [(key, value)])
    name = confs.canonical(key)
    if name is None:
        raise SqlError(
            "CONFIG_NOT_AVAILABLE", "42K0I", f"Configuration {key} is not available."
        )
    default = confs.KNOWN.get(name, ("<undefined>",))[0]
    return strings(stmt, pair, [(key, session.confs.get(name, default))])


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
    return strings(stmt, ("key", "value"), [("spark.sql.session.timeZone", value)])


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
    from . import shows

    catalog = stmt.engine.catalog
    answer = shows.show(stmt, words)
    if answer is not None:
        return answer
    if words.accept("CATALOGS"):
        test = words.pattern()
        words.end()
        return strings(stmt, ("catalog",), [(n,) for n in catalog.catalogs() if test(n)])
    if words.accept("SCHEMAS", "DATABASES"):
        where = words.name()[0] if words.accept("IN", "FROM") else stmt.session.catalog
        test = words.pattern()
        words.end()
        names = catalog.schemas(catalog.need_catalog(where))
        return strings(stmt, ("databaseName",), [(n,) for n in names if test(n)])
    if words.accept("TABLES"):
        return _show_tables(stmt, words)
    if words.accept("VIEWS"):
        return _show_views(stmt, words)
    if words.accept("COLUMNS"):
        return _show_columns(stmt, words)
    if words.accept("CREATE"):
        words.expect("TABLE", "VIEW")
        table = found(stmt, words.name())
        words.end()
        return strings(stmt, ("createtab_stmt",), [(create_text(table),)])
    words.accept("ALL", "SYSTEM")
    if words.accept("FUNCTIONS"):
        test = words.pattern()
        words.end()
        return strings(stmt, ("function",), [(n,) for n in functions.names() if test(n)])
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
    return strings(stmt, names, rows)


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
    return strings(stmt, ("namespace", "viewName", *flags), rows)


def _show_columns(stmt, words: Words) -> Outcome:
    from .describe import columns_of

    words.expect("IN", "FROM")
    parts = words.name()
    if words.accept("IN", "FROM"):
        parts = words.name() + parts
    words.end()
    return strings(stmt, ("col_name",), [(n,) for n, _ in columns_of(stmt, parts)[0]])


def found(stmt, parts: list[str]) -> Table:
    return stmt.engine.catalog.table(*stmt.session.qualify(parts), asked=parts)


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


__all__ = ["create_text", "done", "found", "glob", "run", "strings"]
