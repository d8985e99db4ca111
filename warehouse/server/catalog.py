# SPDX-License-Identifier: Apache-2.0
"""The catalog RPCs: answered from the SQL engine, bent where an engine differs."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from .core import Warehouse
from .operations import Kind, Operation, Session, finish_with_table

_CATALOG_COLUMNS = ("TABLE_CAT", "TABLE_CATALOG", "FUNCTION_CAT")


class Catalog:
    #: RPC -> operation type of its handle
    CALLS = {
        "GetTypeInfo": Kind.GET_TYPE_INFO,
        "GetCatalogs": Kind.GET_CATALOGS,
        "GetSchemas": Kind.GET_SCHEMAS,
        "GetTables": Kind.GET_TABLES,
        "GetTableTypes": Kind.GET_TABLE_TYPES,
        "GetColumns": Kind.GET_COLUMNS,
        "GetFunctions": Kind.GET_FUNCTIONS,
        "GetPrimaryKeys": Kind.UNKNOWN,
        "GetCrossReference": Kind.UNKNOWN,
    }

    def __init__(self, warehouse: Warehouse):
        self.wh = warehouse

    async def answer(self, name: str, req: Any, sess: Session, op: Operation) -> None:
        """Fill the operation with the answer's rows."""
        if not self.wh.personality.databricks and op.kind == Kind.UNKNOWN:
            op.kind = Kind.GET_FUNCTIONS
        table = await self.wh.in_worker(self._table, name, req, sess)
        finish_with_table(op, table, self.wh)

    def _named(self, req: Any, sess: Session) -> str | None:
        """The catalog that the request means; engines other than Databricks have one."""
        if not self.wh.personality.databricks:
            return sess.engine.catalog
        name = req.catalogName
        return (
            None
            if name is not None and name.lower() in ("spark", "hive_metastore", "")
            else name
        )

    def _table(self, name: str, req: Any, sess: Session) -> pa.Table:
        engine = sess.engine
        if name == "GetCatalogs":
            table = engine.catalogs()
        elif name == "GetTypeInfo":
            table = engine.type_info()
        elif name == "GetTableTypes":
            table = engine.table_types()
        elif name == "GetSchemas":
            table = engine.schemas(self._named(req, sess), req.schemaName)
        elif name == "GetTables":
            table = engine.tables(
                self._named(req, sess),
                req.schemaName,
                req.tableName,
                req.tableTypes or None,
            )
        elif name == "GetColumns":
            table = engine.columns(
                self._named(req, sess), req.schemaName, req.tableName, req.columnName
            )
        elif name == "GetFunctions":
            table = engine.functions(
                self._named(req, sess), req.schemaName, req.functionName
            )
        elif name == "GetPrimaryKeys":
            table = engine.primary_keys(req.catalogName, req.schemaName, req.tableName)
        else:
            table = engine.cross_reference(
                req.parentCatalogName,
                req.parentSchemaName,
                req.parentTableName,
                req.foreignCatalogName,
                req.foreignSchemaName,
                req.foreignTableName,
            )
        return table if self.wh.personality.databricks else self._plain(name, table)

    @staticmethod
    def _plain(name: str, table: pa.Table) -> pa.Table:
        """As Spark and Hive answer: no catalogs, so no catalog names either."""
        if name == "GetCatalogs":
            return table.slice(0, 0)
        for column in _CATALOG_COLUMNS:
            index = table.schema.get_field_index(column)
            if index >= 0:
                text = None if name == "GetColumns" else ""
                values = pa.array([text] * table.num_rows, pa.string())
                table = table.set_column(index, column, values)
        return table
