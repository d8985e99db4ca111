# SPDX-License-Identifier: Apache-2.0
"""One statement's translation: parameters, names in force, counters."""

from __future__ import annotations

from . import types as t
from .casts import X
from .dialect import MARKER
from .errors import SqlError, unsupported
from .expressions import Expressions, interval_value, months_or_micros, number
from .queries import Queries
from .scope import Rel, Scope
from .types import text

_NUMBER_TYPES = ("TINYINT", "SMALLINT", "INT", "BIGINT")


class Compiler(Expressions, Queries):
    def __init__(self, session, parameters, markers: int):
        self.session = session
        self.catalog = session.engine.catalog
        self.ansi = session.ansi
        self.ctes: dict[str, tuple] = {}
        self.aggregated = False
        self.depth = 0
        self._count = 0
        self.used_parameters = False
        self._positional = []
        self._named = {}
        self._bind(parameters or [], markers)

    def fresh(self) -> int:
        self._count += 1
        return self._count

    def _bind(self, parameters, markers: int) -> None:
        named = [p for p in parameters if p.name]
        if named and len(named) != len(parameters):
            raise SqlError(
                "INVALID_QUERY_MIXED_QUERY_PARAMETERS",
                "42613",
                "Parameterized query must either use positional, or named parameters, but "
                "not both.",
            )
        # Case matters, as in Spark.
        self._named = {p.name: p for p in named}
        self._positional = [] if named else list(parameters)
        if markers > len(self._positional):
            raise _unbound(
                f"_{len(self._positional) + 1}", markers, len(self._positional)
            )
        if self._positional and markers < len(self._positional):
            raise _unbound(f"_{markers + 1}", markers, len(self._positional))

    def parameter(self, name: str) -> X:
        self.used_parameters = True
        if name.startswith(MARKER):
            return self._value(self._positional[int(name[len(MARKER) :])])
        if name not in self._named:
            raise _unbound(name, None, len(self._named))
        return self._value(self._named[name])

    def _value(self, p) -> X:
        kind = (p.type or "STRING").strip()
        if getattr(p, "arguments", None):
            return self._nested(kind, p.arguments)
        if p.value is None:
            return (
                X(f"CAST(NULL AS {_typed(kind).duck()})", _typed(kind))
                if (kind.upper() != "VOID")
                else X("NULL", t.VOID)
            )
        return self._scalar(_typed(kind), str(p.value))

    def _scalar(self, kind: t.Type, value: str) -> X:
        if kind.kind == "VOID":
            return X("NULL", t.VOID)
        if kind.kind in _NUMBER_TYPES and value.strip().lstrip("+-").isdigit():
            made = number(str(int(value)))
            if made.type.is_int():
                return X(f"CAST({made.sql} AS {kind.duck()})", kind, made.const)
        if kind.kind in ("YM", "DT"):
            return months_or_micros(interval_value(value, kind.unit), kind)
        made = self.cast(X(text(value), t.STRING, value), kind)
        return X(made.sql, kind, value if kind.kind == "STRING" else None)

    def _nested(self, kind: str, arguments) -> X:
        parts = []
        for a in arguments:
            deeper = getattr(a, "arguments", None)
            parts.append(
                self._nested(a.type, deeper) if deeper
                else X("NULL", t.VOID) if a.value is None
                else self._scalar(_typed(a.type), str(a.value))
            )  # fmt: skip
        from .functions import _by_table

        word = kind.upper().split("<")[0]
        if word not in ("ARRAY", "MAP"):
            raise unsupported(f"a parameter of type {kind}")
        made = _by_table(self, word.lower(), parts)
        return self.cast(made, t.parse_type(kind)) if "<" in kind else made

    def temp_view(self, view) -> Rel:
        """A temporary view's query, translated in the namespace where it was made."""
        inner = Compiler(self.session.at(view.catalog, view.schema), [], 0)
        inner._count = self._count + 1000 * (self.depth + 1)
        inner.depth = self.depth + 1
        rel = inner.query(view.query.copy(), Scope())
        self._count = inner._count
        return Rel(rel.sql, [(n, k) for (n, _), (_, k) in zip(view.columns, rel.columns)])


def _typed(kind: str) -> t.Type:
    return t.parse_type(kind).computed()


def _unbound(name: str, markers: int | None, given: int) -> SqlError:
    text_ = f"Found the unbound parameter: {name}."
    if markers is not None and markers < given:
        text_ = (
            f"The query has {markers} parameter markers, but {given} values were given."
        )
    return SqlError(
        "UNBOUND_SQL_PARAMETER",
        "42P02",
        f"{text_} Please, fix `args` and provide a mapping of the parameter to either a SQL "
        "literal or collection constructor functions such as `map()`, `array()`, "
        "`struct()`.",
    )
