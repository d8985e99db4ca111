# SPDX-License-Identifier: Apache-2.0
"""The catalog RPCs: answered from the SQL engine, bent where an engine differs."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from .core import Warehouse
from .operations import Kind, Operation, Session, finish_with_table


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
        if name is not None and name.lower() in ("spark", "hive_metastore", ""):
            return None
        return name

    def _table(self, name: str, req: Any, sess: Session) -> pa.Table:
        engine, flavour = sess.engine, self.wh.personality.text_flavour
        if name == "GetCatalogs":
            return engine.catalogs(flavour)
        if name == "GetTypeInfo":
            return engine.type_info(flavour)
        if name == "GetTableTypes":
            return engine.table_types(flavour, self.wh.options.more_table_types)
        if name == "GetPrimaryKeys":
            return engine.primary_keys(
                req.catalogName, req.schemaName, req.tableName, flavour
            )
        if name == "GetCrossReference":
            return engine.cross_reference(
                req.parentCatalogName,
                req.parentSchemaName,
                req.parentTableName,
                req.foreignCatalogName,
                req.foreignSchemaName,
                req.foreignTableName,
                flavour,
            )
        where = self._named(req, sess)
        if name == "GetSchemas":
            return engine.schemas(where, req.schemaName, flavour)
        if name == "GetTables":
            types = req.tableTypes or None
            return engine.tables(where, req.schemaName, req.tableName, types, flavour)
        if name == "GetColumns":
            return engine.columns(
                where, req.schemaName, req.tableName, req.columnName, flavour
            )
        return engine.functions(where, req.schemaName, req.functionName, flavour)
