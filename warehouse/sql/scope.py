# SPDX-License-Identifier: Apache-2.0
"""Names in force while a query is translated."""

from __future__ import annotations

from dataclasses import dataclass, field

from .casts import X
from .errors import SqlError, quoted, unresolved_column
from .types import Type, ident


@dataclass
class Source:
    """One FROM item: its Databricks names, and the SQL that reads each column."""

    alias: str
    columns: list[tuple[str, X]]
    path: tuple[str, ...] = ()  # catalog, schema of a table
    hidden: bool = False  # right side of a SEMI or ANTI join: visible in ON only

    def find(self, name: str) -> list[X]:
        wanted = name.lower()
        return [x for n, x in self.columns if n.lower() == wanted]

    def answers_to(self, qualifier: list[str]) -> bool:
        names = [*self.path, self.alias]
        given = [q.lower() for q in qualifier]
        return names[-len(given) :] == given


@dataclass
class Rel:
    """A translated query; its DuckDB columns are named c0, c1, ..."""

    sql: str
    columns: list[tuple[str, Type]]

    def source(self, alias: str, physical: str) -> Source:
        cols = [
            (name, X(f"{physical}.c{i}", kind))
            for i, (name, kind) in enumerate(self.columns)
        ]
        return Source(alias.lower(), cols)


@dataclass
class Scope:
    parent: Scope | None = None
    sources: list[Source] = field(default_factory=list)
    aliases: dict[str, X] = field(default_factory=dict)  # outputs usable by name
    outputs_first: bool = False  # ORDER BY: an output name wins over a column
    lambdas: dict[str, X] = field(default_factory=dict)
    merged: list[tuple[str, X]] = field(default_factory=list)  # USING / NATURAL columns
    windows: dict = field(default_factory=dict)

    def visible(self) -> list[Source]:
        return [s for s in self.sources if not s.hidden]

    def resolve(self, parts: list[str]) -> X:
        scope: Scope | None = self
        while scope:
            found = scope._here(parts)
            if found:
                return found
            scope = scope.parent
        raise unresolved_column(quoted(*parts), self._candidates())

    def _candidates(self) -> list[str]:
        return [
            quoted(s.alias, n) if s.alias else quoted(n)
            for s in self.visible()
            for n, _ in s.columns
        ]

    def _here(self, parts: list[str]) -> X | None:
        name = parts[0].lower()
        if name in self.lambdas:
            return fields(self.lambdas[name], parts[1:])
        if self.outputs_first and name in self.aliases:
            return fields(self.aliases[name], parts[1:])
        for k in range(min(3, len(parts) - 1), 0, -1):
            found = self._qualified(parts, k)
            if found:
                return found
        found = self._column(parts[0])
        if found:
            return fields(found, parts[1:])
        if name in self.aliases:
            return fields(self.aliases[name], parts[1:])
        return None

    def _qualified(self, parts: list[str], k: int) -> X | None:
        for source in self.visible():
            if source.answers_to(parts[:k]):
                found = source.find(parts[k])
                if len(found) > 1:
                    raise ambiguous(quoted(*parts[: k + 1]))
                if found:
                    return fields(found[0], parts[k + 1 :])
        return None

    def _column(self, name: str) -> X | None:
        for n, x in self.merged:
            if n.lower() == name.lower():
                return x
        found = [x for s in self.visible() for x in s.find(name)]
        if len(found) > 1:
            raise ambiguous(quoted(name))
        return found[0] if found else None


def ambiguous(name: str) -> SqlError:
    return SqlError(
        "AMBIGUOUS_REFERENCE",
        "42704",
        f"Reference {name} is ambiguous, qualify the column.",
    )


def fields(x: X, names: list[str]) -> X:
    """x.a.b of a struct (or of an array of structs, which gives an array)."""
    for name in names:
        x = field_of(x, name)
    return x


def field_of(x: X, name: str) -> X:
    kind = x.type
    if kind.kind == "STRUCT":
        for n, f in zip(kind.names, kind.args):
            if n.lower() == name.lower():
                return X(f"({x.sql}).{ident(n)}", f)
        names = ", ".join(quoted(n) for n in kind.names)
        raise SqlError(
            "FIELD_NOT_FOUND", "42704", f"No such struct field {quoted(name)} in {names}."
        )
    if kind.kind == "ARRAY" and kind.element.kind == "STRUCT":
        inner = field_of(X("e_", kind.element), name)
        return X(
            f"list_transform({x.sql}, lambda e_: {inner.sql})",
            Type("ARRAY", args=(inner.type,)),
        )
    raise SqlError(
        "INVALID_EXTRACT_BASE_FIELD_TYPE",
        "42000",
        f'Can\'t extract a value from "{kind}". Need a complex type [STRUCT, ARRAY, MAP].',
    )
