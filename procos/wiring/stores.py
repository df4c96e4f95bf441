"""Where workers keep what must outlive them: the state database and the object store."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from procos.adapters.folder_objects import FolderObjects
from procos.errors import StoreError
from procos.kernel.home import Home
from procos.runtime.journal import Journal
from procos.runtime.large_variables import LargeVariables
from procos.settings import Settings

if TYPE_CHECKING:
    from procos.adapters.state.database import Database

FORGET_AFTER: Final = timedelta(days=7)
"""What nobody has written for so long is of jobs that are gone: their instances were cancelled."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stores:
    """What the workers of one process share."""

    journal: Journal
    large_variables: LargeVariables
    database: "Database"


def open_state_database(settings: Settings, home: Home) -> "Database":
    """The database of the settings, or the file in the home; its schema is the newest then. Blocks.

    Raises:
        StoreError: it cannot be used; says what to do.
        MissingExtraError: the driver for PostgreSQL is not installed.
    """
    from procos.adapters.state.database import open_database  # noqa: PLC0415 - SQLAlchemy is slow to import

    url = settings.database_url
    return open_database(url.get_secret_value() if url else home.database_file)


@contextlib.asynccontextmanager
async def open_stores(settings: Settings, home: Home, engine_id: str) -> AsyncIterator[Stores]:
    """Opens the stores for workers on the engine `engine_id`; what is still to be written at the end is written.

    Raises:
        StoreError: the database cannot be used; says what to do.
    """
    from procos.adapters.state.outcome_ledger import SqlOutcomeLedger  # noqa: PLC0415 - SQLAlchemy is slow to import

    database = await asyncio.to_thread(open_state_database, settings, home)
    try:
        ledger = SqlOutcomeLedger(database, engine_id=engine_id)
        objects = FolderObjects(home.objects)
        journal = Journal(ledger)
        try:
            await tidy("entries of the outcome ledger", ledger.prune)
            yield Stores(journal, LargeVariables(objects), database)
        finally:
            await journal.close()
            await objects.close()
            await ledger.close()
    finally:
        database.close()


async def tidy(what: str, prune: Callable[[timedelta], Awaitable[int]]) -> None:
    """Removes what is older than anything that is still needed; a store that is away keeps it."""
    try:
        removed = await prune(FORGET_AFTER)
    except StoreError as error:
        _log.warning("old %s stay: %s", what, error)
    else:
        if removed:
            _log.info("%d old %s are removed", removed, what)
