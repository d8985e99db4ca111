# SPDX-License-Identifier: Apache-2.0
"""Primary and foreign keys: kept with the table and reported, never enforced."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from .catalog import Catalog, Table
from .dialect import shown
from .errors import SqlError, quoted, unresolved_column, unsupported


@dataclass(frozen=True)
class PrimaryKey:
    name: str
    columns: list[str]


@dataclass(frozen=True)
class ForeignKey:
    name: str
    columns: list[str]
    parent: tuple[str, str, str]
    parent_columns: list[str]
    #: Name of the primary key that the columns of the parent make, if they do.
    parent_key: str


def primary_key(table: Table | None) -> PrimaryKey | None:
    key = table.info.get("primary_key") if table else None
    if not table or not key:
        return None
    return PrimaryKey(key["name"] or f"{table.name}_pk", key["columns"])


def foreign_keys(catalog: Catalog, table: Table) -> list[ForeignKey]:
    found = []
    for key in table.info.get("foreign_keys", []):
        parent = tuple(key["parent"])
        theirs = primary_key(catalog.find(*parent))
        columns = key["parent_columns"] or (theirs.columns if theirs else [])
        name = key["name"] or f"{table.name}_{parent[2]}_fk"
        known = theirs.name if theirs else f"{parent[2]}_pk"
        found.append(ForeignKey(name, key["columns"], parent, columns, known))
    return found


def clauses(catalog: Catalog, table: Table) -> list[tuple[str, str]]:
    """Name and text of every key, as DESCRIBE prints them."""
    made = []
    own = primary_key(table)
    if own:
        made.append((own.name, f"PRIMARY KEY ({_listed(own.columns)})"))
    for key in foreign_keys(catalog, table):
        to = ".".join(f"`{part}`" for part in key.parent)
        made.append(
            (
                key.name,
                f"FOREIGN KEY ({_listed(key.columns)}) REFERENCES {to} "
                f"({_listed(key.parent_columns)})",
            )
        )
    return made


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


# --- out of DDL --------------------------------------------


def collect(node: exp.Expression, info: dict, qualify, name: str = "") -> None:
    """Put a table constraint into the table's notes."""
    if isinstance(node, exp.Constraint):
        for inner in node.expressions:
            collect(inner, info, qualify, node.name)
    elif isinstance(node, exp.PrimaryKey):
        columns = [c.name for c in node.expressions]
        info["primary_key"] = {"name": name, "columns": columns}
    elif isinstance(node, exp.ForeignKey):
        columns = [c.name for c in node.expressions]
        _refer(node.args["reference"], columns, info, qualify, name)
    else:
        raise unsupported(f"the constraint {shown(node)}")


def of_column(column: str, node: exp.ColumnConstraint, info: dict, qualify) -> bool:
    """The same for a constraint of one column; False when it is no key."""
    if isinstance(node.kind, exp.PrimaryKeyColumnConstraint):
        info["primary_key"] = {"name": node.name, "columns": [column]}
    elif isinstance(node.kind, exp.Reference):
        _refer(node.kind, [column], info, qualify, node.name)
    else:
        return False
    return True


def _refer(reference: exp.Reference, columns, info: dict, qualify, name: str) -> None:
    target = reference.this
    table = target.this if isinstance(target, exp.Schema) else target
    theirs = [c.name for c in target.expressions] if isinstance(target, exp.Schema) else []
    parent = [part.lower() for part in qualify([p.name for p in table.parts])]
    info.setdefault("foreign_keys", []).append(
        {"name": name, "columns": columns, "parent": parent, "parent_columns": theirs}
    )


def settle(info: dict, columns: list[str]) -> None:
    """Give the columns of the keys the case that they have in the table."""
    known = {name.lower(): name for name in columns}
    keys = [info["primary_key"]] if "primary_key" in info else []
    for key in [*keys, *info.get("foreign_keys", [])]:
        for name in key["columns"]:
            if name.lower() not in known:
                raise unresolved_column(quoted(name), [quoted(c) for c in columns])
        key["columns"] = [known[name.lower()] for name in key["columns"]]


def without(info: dict, name: str | None, if_exists: bool, table: Table) -> dict:
    """The notes without the key of this name; None is the primary key."""
    own = primary_key(table)
    if own and name in (None, own.name):
        return {k: v for k, v in info.items() if k != "primary_key"}
    left, dropped = [], False
    for key in info.get("foreign_keys", []):
        if name == (key["name"] or f"{table.name}_{key['parent'][2]}_fk"):
            dropped = True
        else:
            left.append(key)
    if not dropped and not if_exists:
        raise SqlError(
            "CONSTRAINT_DOES_NOT_EXIST",
            "42704",
            f"Cannot drop nonexistent constraint {name or 'PRIMARY KEY'} from table "
            f"`{table.catalog}`.`{table.schema}`.`{table.name}`.",
        )
    return {**info, "foreign_keys": left}
