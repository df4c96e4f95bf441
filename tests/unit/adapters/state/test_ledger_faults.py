"""The outcome ledger when its database is locked, full, away, or holds what cannot be read."""

import asyncio
import logging
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path

import pytest

from procos.adapters.state.database import open_database
from procos.adapters.state.outcome_ledger import SqlOutcomeLedger
from procos.errors import StoreError
from procos.model.job import Completed
from procos.model.ledger import LedgerEntry
from tests.servers.postgres import (
    PASSWORD,
    PostgresServer,
    postgres_fixture,  # noqa: F401 - fixtures, used by name
    postgres_server,
    postgres_url_fixture,  # noqa: F401
)

pytestmark = pytest.mark.anyio

KEY = 2251799813685249
DONE = LedgerEntry(job_key=KEY, failures=1, outcome=Completed({"answer": 42}))


@asynccontextmanager
async def ledger_at(
    where: str | Path, *, patience: timedelta = timedelta(seconds=30)
) -> AsyncIterator[SqlOutcomeLedger]:
    database = open_database(where)
    ledger = SqlOutcomeLedger(database, engine_id="e", patience=patience)
    try:
        yield ledger
    finally:
        await ledger.close()
        database.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "procos.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, file) -> str | Path:
    return file if request.param == "sqlite" else request.getfixturevalue("postgres_url")


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A server that this test may stop."""
    with postgres_server() as made:
        yield made


@pytest.mark.parametrize("large", [False, True], ids=["at once", "in the thread"])
async def test_what_was_recorded_is_there_after_the_process_is_killed(place, large):
    code = (
        "import asyncio, os, sys; from pathlib import Path\n"
        "from procos.adapters.state.database import open_database\n"
        "from procos.adapters.state.outcome_ledger import SqlOutcomeLedger\n"
        "from procos.model.job import Completed; from procos.model.ledger import LedgerEntry\n"
        "async def main():\n"
        f"    ledger = SqlOutcomeLedger(open_database({place!r}), engine_id='e')\n"
        "    for n in range(20):\n"
        f"        outcome = Completed({{'n': 'x' * {large} * 200_000}})\n"
        "        await ledger.record([LedgerEntry(job_key=n, outcome=outcome)])\n"
        "    os.kill(os.getpid(), 9)\n"
        "asyncio.run(main())"
    ).replace("PosixPath", "Path")
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    assert await process.wait() == -signal.SIGKILL

    async with ledger_at(place) as ledger:
        found = await ledger.recall(range(20))
    assert set(found) == set(range(20))
    assert found[19].outcome == Completed({"n": "x" * large * 200_000})


async def test_a_lock_that_another_program_holds_for_a_while_is_waited_out(file):
    async with ledger_at(file) as ledger:
        await ledger.record([DONE])
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert set(await ledger.recall([KEY])) == {KEY}  # reading waits for no writer
            writing = asyncio.create_task(ledger.forget([KEY]))
            done, _ = await asyncio.wait([writing], timeout=0.2)
            assert not done
            other.execute("ROLLBACK")
            await writing
        assert await ledger.recall([KEY]) == {}


async def test_the_event_loop_goes_on_while_the_database_is_locked(file):
    async with ledger_at(file) as ledger:
        await ledger.record([DONE])
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            writing = [asyncio.create_task(ledger.record([DONE])) for _ in range(20)]
            for _ in range(100):
                await asyncio.sleep(0)
            # Only a loop that was not held up gets here while the lock is still there.
            assert not any(task.done() for task in writing)
            other.execute("ROLLBACK")
            await asyncio.gather(*writing)


async def test_a_lock_that_stays_is_an_error_after_the_patience(file, monkeypatch):
    monkeypatch.setattr("procos.adapters.state.database._BUSY_TIMEOUT_MS", 10)
    async with ledger_at(file, patience=timedelta(milliseconds=50)) as ledger:
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError) as caught:
                await ledger.record([DONE])
            other.execute("ROLLBACK")
        assert f"cannot write to the outcome ledger, {file}: another program holds it locked" in caught.value.message
        assert caught.value.hint
        await ledger.record([DONE])
        assert await ledger.recall([KEY]) == {KEY: DONE}


async def test_a_full_disk_is_said_and_nothing_is_half_written(file):
    code = (
        "import asyncio, resource; from pathlib import Path\n"
        "from procos.adapters.state.database import open_database\n"
        "from procos.adapters.state.outcome_ledger import SqlOutcomeLedger\n"
        "from procos.errors import StoreError\n"
        "from procos.model.job import Completed; from procos.model.ledger import LedgerEntry\n"
        "async def main():\n"
        f"    ledger = SqlOutcomeLedger(open_database(Path({str(file)!r})), engine_id='e')\n"
        f"    await ledger.record([LedgerEntry(job_key={KEY})])\n"
        # A largest size of files makes writing fail in the middle, as on a full disk.
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))\n"
        "    for size in (50_000, 200_000):\n"
        "        try:\n"
        "            for n in range(40):\n"
        "                entry = LedgerEntry(job_key=n, outcome=Completed({'a': 'x' * size}))\n"
        f"                await ledger.record([entry, LedgerEntry(job_key={KEY} + n + size)])\n"
        "        except StoreError as error: print(error.message, '|', error.hint)\n"
        "asyncio.run(main())"
    )
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    lines = done.stdout.splitlines()

    assert len(lines) == 2
    assert all(line.startswith(f"cannot write to the outcome ledger, {file}: the disk") for line in lines)
    assert all(line.endswith(("free some space", "look at its free space, and at the system's log")) for line in lines)
    async with ledger_at(file) as ledger:
        assert set(await ledger.recall([KEY])) == {KEY}
        for size in (50_000, 200_000):
            pairs = [await ledger.recall([n, KEY + n + size]) for n in range(40)]
            assert all(KEY + n + size not in pair or n in pair for n, pair in enumerate(pairs))


async def test_a_postgresql_that_is_restarted_is_waited_for_and_found_again(server):
    async with ledger_at(server.create_database()) as ledger:
        await ledger.record([DONE])
        await asyncio.to_thread(server.stop)
        waiting = asyncio.create_task(ledger.recall([KEY]))
        writing = asyncio.create_task(ledger.record([LedgerEntry(job_key=KEY + 1)]))
        done, _ = await asyncio.wait([waiting, writing], timeout=0.2)
        assert not done
        await asyncio.to_thread(server.start)

        assert await waiting == {KEY: DONE}
        await writing
        assert set(await ledger.recall([KEY, KEY + 1])) == {KEY, KEY + 1}


async def test_a_postgresql_that_stays_away_is_an_error_and_then_found_again(server):
    async with ledger_at(server.create_database(), patience=timedelta(milliseconds=100)) as ledger:
        await ledger.record([DONE])
        await asyncio.to_thread(server.stop)
        with pytest.raises(StoreError, match=r"no server answers|being stopped"):
            await ledger.record([DONE])
        with pytest.raises(StoreError, match="no server answers") as caught:
            await ledger.record([DONE])
        assert PASSWORD not in f"{caught.value.message} {caught.value.hint}"
        await asyncio.to_thread(server.start)

        assert await ledger.recall([KEY]) == {KEY: DONE}


async def test_a_connection_that_the_server_ends_costs_nobody_an_error(postgres):
    url = postgres.create_database()
    async with ledger_at(url) as ledger:
        await ledger.record([DONE])
        for _ in range(3):
            postgres.execute(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{url.rpartition('/')[2]}'"  # noqa: S608
            )
            assert await ledger.recall([KEY]) == {KEY: DONE}
            await ledger.record([DONE])


async def test_a_postgresql_that_does_not_answer_keeps_nobody_for_ever(postgres):
    url = postgres.create_database()
    async with ledger_at(url) as ledger:
        await ledger.record([DONE])
        ledger._thread._limit = 0.1
        with postgres.connect(url.rpartition("/")[2]) as other:
            other.autocommit = False
            other.execute("LOCK TABLE outcome_ledger")
            with pytest.raises(StoreError, match="the outcome ledger: no answer within"):
                await ledger.recall([KEY])
            other.rollback()
        ledger._thread._limit = 30
        assert await ledger.recall([KEY]) == {KEY: DONE}


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("completed", "{"),
        ("completed", None),
        ("completed", "[]"),
        ("completed", '{"variables": 1}'),
        ("completed", '{"variables": {}, "compression": "zstd"}'),
        ("compensated", '{"variables": {}}'),
        ("failed", '{"message": "m", "retries": "2", "backoffMicroseconds": 0}'),
        ("failed", '{"message": "m", "retries": 2, "backoffMicroseconds": 1e99}'),
        ("failed", '{"message": "m", "retries": 2, "backoffMicroseconds": 99999999999999999999999999}'),
        ("error thrown", '{"code": null, "message": "m", "variables": {}}'),
        ("completed", "[" * 100_000),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_an_outcome_that_cannot_be_read_counts_as_not_there(file, caplog, kind, outcome):
    async with ledger_at(file) as ledger:
        with closing(sqlite3.connect(file)) as other, other:
            other.execute(
                "INSERT INTO outcome_ledger VALUES ('e', ?, 2, '{\"page\":7}', ?, ?, '2026-01-01')",
                (KEY, kind, outcome),
            )
        with caplog.at_level(logging.WARNING):
            found = await ledger.recall([KEY])

    assert found == {KEY: LedgerEntry(job_key=KEY, failures=2, progress={"page": 7})}
    (line,) = caplog.messages
    assert line.startswith(f"job {KEY}: the outcome that the ledger keeps of it cannot be read")


async def test_progress_that_cannot_be_read_does_not_hide_the_outcome(file, caplog):
    async with ledger_at(file) as ledger:
        await ledger.record([DONE])
        with closing(sqlite3.connect(file)) as other, other:
            other.execute("UPDATE outcome_ledger SET progress = '{'")

        assert await ledger.recall([KEY]) == {KEY: DONE}
    assert "the progress" in caplog.text


async def test_pruning_goes_by_the_time_of_the_last_writing(place):
    async with ledger_at(place) as ledger:
        await ledger.record([DONE, LedgerEntry(job_key=KEY + 1)])
        with ledger._session._database.engine.begin() as connection:
            connection.exec_driver_sql(
                f"UPDATE outcome_ledger SET written_at = '2020-02-29 23:59:59.999999' WHERE job_key = {KEY}"  # noqa: S608
            )

        assert await ledger.prune(timedelta(days=365)) == 1
        assert set(await ledger.recall([KEY, KEY + 1])) == {KEY + 1}


@pytest.mark.parametrize("size", [2_000, 50_000])
async def test_what_is_written_at_once_reaches_the_file_now_and_then(file, size):
    async with ledger_at(file) as ledger:
        for number in range(1_100):
            await ledger.record([LedgerEntry(job_key=number, progress="x" * size)])

        written_ahead = file.with_name("procos.db-wal").stat().st_size
    assert written_ahead < 10_000_000, "without a checkpoint it would be 13 MB or more"


async def test_closing_leaves_no_thread_and_no_open_file(file):
    before = set(threading.enumerate())
    async with ledger_at(file) as ledger:
        await ledger.record([DONE])
        await ledger.record([LedgerEntry(job_key=KEY, progress="x" * 200_000)])

    assert {thread.name for thread in set(threading.enumerate()) - before if "asyncio" not in thread.name} == set()
    assert open_files(file.parent) == []
    assert not file.with_name("procos.db-wal").exists()


def open_files(folder: Path) -> list[Path]:
    links = [link for link in Path("/proc/self/fd").iterdir() if link.exists()]
    return [path for path in (link.resolve() for link in links) if path.is_relative_to(folder)]


async def test_tables_that_somebody_has_removed_are_said(place):
    async with ledger_at(place) as ledger:
        await ledger.record([DONE])
        with ledger._session._database.engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE outcome_ledger")

        for call in (ledger.recall([KEY]), ledger.record([DONE])):
            with pytest.raises(StoreError, match="a table is missing"):
                await call


@pytest.mark.parametrize("engine_id", ["", "a\0b"])
async def test_an_engine_id_that_no_database_keeps_is_refused(file, engine_id):
    database = open_database(file)
    with pytest.raises(StoreError, match="engine id"):
        SqlOutcomeLedger(database, engine_id=engine_id)
    database.close()
