"""The peer that is ours, as `procos worker` runs it: with its ledger, its object store and its monitoring."""

import asyncio
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel

from peers.contract import Orders
from procos.kernel.home import Home
from procos.sdk import TaskContext, tde
from procos.settings import Settings
from procos.wiring.engines import connect
from procos.wiring.workers import workforce


class Nothing(BaseModel):
    """The job has no variables."""


async def main() -> None:
    orders = Orders.read()

    @tde("peer", job_type=orders.job_type, description="Does what every peer's handler does.")
    async def work(_data: Nothing, context: TaskContext) -> None:
        orders.begin()
        if orders.handler_s:
            await asyncio.sleep(orders.handler_s)
        orders.end(context.job_key)

    settings = Settings(
        home=Path(tempfile.mkdtemp(prefix="procos-peer-")),
        address=orders.gateway,
        worker_slots=orders.slots,
        lease=timedelta(milliseconds=orders.lease_ms),
        job_streams=orders.mode == "stream",
    )
    home = Home(settings.home)
    home.prepare()
    _make_database(home.database_file)
    async with connect(settings) as session, workforce(settings, session, home) as force:
        force.pool.start([work])
        orders.ready()
        await asyncio.Event().wait()


def _make_database(file: Path) -> None:
    """As on every start but the first: who makes the tables holds Alembic in memory, some 11 MB, until it ends."""
    code = (
        f"from procos.adapters.state.database import open_database as o; import pathlib; o(pathlib.Path({str(file)!r}))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


if __name__ == "__main__":
    asyncio.run(main())
