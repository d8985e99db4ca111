# SPDX-License-Identifier: Apache-2.0
"""What the SQL tests share: one engine, and short ways to ask it."""

import pytest

from warehouse.sql import Engine, Parameter, SqlError


@pytest.fixture(scope="session")
def engine():
    made = Engine()
    yield made
    made.close()


@pytest.fixture
def sess(engine):
    made = engine.open_session()
    yield made
    made.close()


@pytest.fixture
def own(engine):
    """A session in a schema of its own, which is dropped afterwards."""
    made = engine.open_session()
    rows(made, "CREATE SCHEMA own")
    rows(made, "USE own")
    yield made
    rows(made, "DROP SCHEMA main.own CASCADE")
    made.close()


def run(sess, sql, *parameters):
    return sess.statement(sql, list(parameters)).run()


def rows(sess, sql, *parameters):
    found = []
    for batch in run(sess, sql, *parameters).batches:
        found += zip(*(column.to_pylist() for column in batch.columns))
    return found


def one(sess, expression):
    """The value of one expression."""
    ((value,),) = rows(sess, f"SELECT {expression}")
    return value


def kind(sess, expression):
    """The SQL name of one expression's type."""
    outcome = run(sess, f"SELECT {expression}")
    for _ in outcome.batches:
        pass
    return outcome.columns[0].sql_name


def fails(sess, sql, *parameters):
    """The error class and SQLSTATE of a statement that has to fail."""
    with pytest.raises(SqlError) as caught:
        rows(sess, sql, *parameters)
    err = caught.value
    assert err.message.startswith(f"[{err.error_class}] ")
    assert f"SQLSTATE: {err.sqlstate}" in err.message
    assert len(err.sqlstate) == 5
    return err.error_class, err.sqlstate


def param(kind_, value, name=None):
    return Parameter(name, None, kind_, value)
