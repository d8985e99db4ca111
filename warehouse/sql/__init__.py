# SPDX-License-Identifier: Apache-2.0
"""The SQL engine of the local warehouse: Databricks SQL over DuckDB. See README.md."""

from .engine import Engine, Parameter, SqlSession, SqlStatement
from .errors import Cancelled, SqlError
from .output import ColumnInfo, Outcome

__all__ = [
    "Cancelled",
    "ColumnInfo",
    "Engine",
    "Outcome",
    "Parameter",
    "SqlError",
    "SqlSession",
    "SqlStatement",
]
