"""Steps of the schema: which there are, which a database has, and how it gets the others.

The steps go forward only. A new one is a file in `versions/`, and a line in `REVISIONS`.
"""

import logging
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

REVISIONS: Final = ("0001", "0002", "0003")
"""Every step that this ProcOS knows, the oldest first. Here, so that Alembic need not be imported to compare."""

VERSION_TABLE: Final = "procos_schema_version"
"""A name of its own: a PostgreSQL database may hold another application's `alembic_version`."""

_HAS_VERSION_TABLE: Final = {
    "sqlite": f"SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = '{VERSION_TABLE}'",  # noqa: S608
    "postgresql": f"SELECT count(to_regclass('{VERSION_TABLE}'))",
}


def revision_of(connection: Connection) -> str | None:
    """The newest step that the database has; None where there is nothing yet."""
    if not connection.exec_driver_sql(_HAS_VERSION_TABLE[connection.dialect.name]).scalar():
        return None
    found: str | None = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar()  # noqa: S608
    return found


def upgrade(connection: Connection) -> None:
    """Takes the database to the newest step, inside the caller's transaction."""
    # Imported here: most processes find the newest step, and never need Alembic's 8 MB.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of its own set-up, on every first boot
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    command.upgrade(config, REVISIONS[-1])
