"""INSERT … ON CONFLICT for either database; SQLAlchemy has one for each."""

from typing import TypeAlias

from sqlalchemy import Engine, Table
from sqlalchemy.dialects import postgresql, sqlite

Insert: TypeAlias = sqlite.Insert | postgresql.Insert


def insert_or(engine: Engine, table: Table) -> Insert:
    """An INSERT that has `on_conflict_do_nothing` and `on_conflict_do_update`."""
    return sqlite.insert(table) if engine.dialect.name == "sqlite" else postgresql.insert(table)
