"""The WorkerRegister port on the state database."""

import json
import logging
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import Connection, delete, select

from procos.adapters.state.database import Database
from procos.adapters.state.json_text import value_to_json
from procos.adapters.state.tables import registered_worker
from procos.adapters.state.transactions import PATIENCE, Transactions, checked_engine_id
from procos.adapters.state.upsert import insert_or
from procos.ports.worker_register import ALIVE_FOR

_TYPES: Final = TypeAdapter(frozenset[str])
_log = logging.getLogger(__name__)


def utc_now() -> datetime:
    """This machine's clock."""
    return datetime.now(UTC)


class SqlWorkerRegister:
    """The workers of one engine, with the clocks of those that announce; who is gone is removed by who announces."""

    def __init__(
        self,
        database: Database,
        *,
        engine_id: str,
        patience: timedelta = PATIENCE,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._now = now
        self._engine_id = checked_engine_id(engine_id, "the register of workers")
        self._transactions = Transactions(database, name="the register of workers", patience=patience)
        insert = insert_or(database.engine, registered_worker)
        replaced = {name: insert.excluded[name] for name in ("job_types", "announced_at")}
        self._announce = insert.on_conflict_do_update(index_elements=["engine_id", "worker"], set_=replaced)

    async def announce(self, worker: str, job_types: Collection[str]) -> None:
        """The worker lives, and takes jobs of these types and of no others."""
        moment = self._now()
        row = {
            "engine_id": self._engine_id,
            "worker": worker,
            "job_types": value_to_json(sorted(job_types), f"what worker '{worker}' takes"),
            "announced_at": moment,
        }
        table = registered_worker.c
        gone = delete(registered_worker).where(
            table.engine_id == self._engine_id, table.announced_at <= moment - ALIVE_FOR
        )

        def write(connection: Connection) -> None:
            connection.execute(gone)
            connection.execute(self._announce, row)

        await self._transactions.write("announce a worker", write)

    async def withdraw(self, worker: str) -> None:
        """The worker has ended; one that is not known is no error."""
        table = registered_worker.c
        ended = delete(registered_worker).where(table.engine_id == self._engine_id, table.worker == worker)
        await self._transactions.write("withdraw a worker", lambda it: it.execute(ended))

    async def job_types(self) -> frozenset[str]:
        """The job types of all workers that announced themselves within `ALIVE_FOR`."""
        table = registered_worker.c
        alive = select(table.worker, table.job_types).where(
            table.engine_id == self._engine_id, table.announced_at > self._now() - ALIVE_FOR
        )
        rows = await self._transactions.read("read which workers live", lambda it: it.execute(alive).mappings().all())
        return frozenset().union(*(_types({**row}) for row in rows))

    async def close(self) -> None:
        """Ends the thread; the database stays open for others."""
        await self._transactions.close()


def _types(row: dict[str, Any]) -> Iterable[str]:
    """The types in a row; one that cannot be read must not hide the others."""
    try:
        return _TYPES.validate_python(json.loads(row["job_types"]))
    except (ValueError, RecursionError) as error:
        _log.warning("what worker '%s' announced cannot be read (%s); it counts as gone", row["worker"], error)
        return ()
