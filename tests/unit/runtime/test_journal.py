"""The worker's side of the ledger: requests gathered, written in batches, and never in a job's way."""

import asyncio
import logging

import pytest

from procos.model.job import Completed
from procos.model.ledger import LedgerEntry
from procos.runtime import journal as journal_module
from procos.runtime.journal import Journal
from tests.unit.runtime.ledgers import WatchedLedger
from tests.unit.runtime.workers import settle, until

pytestmark = pytest.mark.anyio

DONE = Completed({"answer": 42})


def entry(key: int, failures: int = 0) -> LedgerEntry:
    return LedgerEntry(job_key=key, failures=failures, outcome=DONE)


def journal(ledger: WatchedLedger) -> Journal:
    return Journal(ledger, write_after_s=0.01)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(journal_module, "_FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(journal_module, "_LONGEST_WAIT_S", 0.002)


# Reading


async def test_what_is_recalled_in_one_moment_goes_in_one_request():
    ledger = WatchedLedger()
    await ledger.record([entry(1), entry(3)])
    its = journal(ledger)

    found = await asyncio.gather(*(its.recall(key) for key in (1, 2, 3)))

    assert found == [entry(1), None, entry(3)]
    assert ledger.recalled == [[1, 2, 3]]


async def test_what_is_recalled_while_the_ledger_is_asked_goes_in_the_next_request():
    ledger = WatchedLedger()
    ledger.held = asyncio.Event()
    its = journal(ledger)
    first = asyncio.create_task(its.recall(1))
    await settle()
    second = asyncio.create_task(its.recall(2))
    await settle()
    ledger.held.set()
    await asyncio.gather(first, second)

    assert ledger.recalled == [[1], [2]]


async def test_one_that_stops_waiting_for_an_answer_does_not_stop_the_others():
    ledger = WatchedLedger()
    await ledger.record([entry(1), entry(2)])
    ledger.held = asyncio.Event()
    its = journal(ledger)
    stops, waits = asyncio.create_task(its.recall(1)), asyncio.create_task(its.recall(2))
    await settle()
    stops.cancel()
    await settle()
    ledger.held.set()

    assert await waits == entry(2)


async def test_what_is_kept_is_recalled_before_it_is_written_and_while_it_is():
    ledger = WatchedLedger()
    ledger.held = asyncio.Event()
    its = journal(ledger)
    its.keep(entry(1))
    before = await its.recall(1)
    await until(lambda: ledger.recorded)
    meanwhile = await its.recall(1)
    ledger.held.set()

    assert (before, meanwhile) == (entry(1), entry(1))
    assert ledger.recalled == []
    await its.close()


async def test_what_is_dropped_is_not_recalled_though_it_is_still_there():
    ledger = WatchedLedger()
    its = journal(ledger)
    its.keep(entry(1))
    await its.settle()
    its.drop(1)

    assert await its.recall(1) is None
    assert await ledger.now(1) == entry(1)
    await its.close()
    assert len(ledger) == 0


# Writing


async def test_what_is_kept_in_one_moment_is_written_together():
    ledger = WatchedLedger()
    its = journal(ledger)
    for key in range(5):
        its.keep(entry(key))
    await its.settle()

    assert [len(batch) for batch in ledger.recorded] == [5]
    assert await ledger.now(4) == entry(4)
    await its.close()


async def test_what_has_to_last_is_written_without_waiting_for_more():
    ledger = WatchedLedger()
    its = Journal(ledger, write_after_s=60)
    its.keep(entry(1))
    await settle()
    assert ledger.recorded == []
    its.hurry()
    await until(lambda: len(ledger))

    assert await ledger.now(1) == entry(1)
    await its.close()


async def test_of_several_entries_of_a_job_only_the_last_is_written():
    ledger = WatchedLedger()
    its = journal(ledger)
    its.keep(entry(1, failures=0))
    its.keep(entry(1, failures=1))
    await its.settle()

    assert ledger.recorded == [[entry(1, failures=1)]]
    await its.close()


async def test_what_is_dropped_before_it_was_written_never_is():
    ledger = WatchedLedger()
    its = journal(ledger)
    its.keep(entry(1))
    its.drop(1)
    await its.settle()

    assert (ledger.recorded, ledger.forgotten) == ([], [])
    await its.close()


async def test_what_is_dropped_while_it_is_written_is_removed_again():
    ledger = WatchedLedger()
    ledger.held = asyncio.Event()
    its = journal(ledger)
    its.keep(entry(1))
    await until(lambda: ledger.recorded)
    its.drop(1)
    ledger.held.set()
    await its.settle()

    assert await ledger.now(1) is None
    assert len(ledger) == 0
    await its.close()


async def test_an_entry_of_an_earlier_process_is_removed_when_its_job_is_over():
    ledger = WatchedLedger()
    await ledger.record([entry(1)])
    its = journal(ledger)
    await its.recall(1)
    its.drop(1)
    await its.settle()

    assert len(ledger) == 0
    await its.close()


async def test_a_job_that_the_ledger_does_not_know_is_dropped_without_asking_it():
    ledger = WatchedLedger()
    its = journal(ledger)
    await its.recall(1)
    its.drop(1)
    await its.settle()

    assert ledger.forgotten == []
    await its.close()


# A ledger that does not answer


async def test_nothing_is_known_while_the_ledger_is_away_and_nobody_waits():
    ledger = WatchedLedger()
    ledger.is_away = True

    assert await journal(ledger).recall(1) is None


async def test_a_defect_of_the_ledger_is_told_and_holds_up_no_job(caplog):
    class Broken(WatchedLedger):
        async def recall(self, *_):
            raise ZeroDivisionError("a defect of ours")

    async with asyncio.timeout(5):
        assert await journal(Broken()).recall(1) is None

    assert "ZeroDivisionError: a defect of ours" in caplog.text


async def test_an_absence_is_told_once_and_its_end_too_and_what_was_kept_is_written_then(caplog, quick):
    ledger = WatchedLedger()
    ledger.is_away = True
    its = journal(ledger)
    with caplog.at_level(logging.INFO):
        await its.recall(9)
        its.keep(entry(1))
        await until(lambda: ledger.failures >= 4)
        its.keep(entry(2))
        ledger.is_away = False
        await its.settle()

    assert [record.getMessage() for record in caplog.records] == [
        "the outcome ledger does not answer; jobs go on without it: the database does not answer",
        "the outcome ledger is back",
    ]
    assert await ledger.now(1) == entry(1)
    assert await ledger.now(2) == entry(2)
    await its.close()


async def test_what_is_newer_counts_when_an_older_write_failed(quick):
    ledger = WatchedLedger()
    ledger.is_away, ledger.held = True, asyncio.Event()
    its = journal(ledger)
    its.keep(entry(1, failures=0))
    its.keep(entry(2))
    await until(lambda: ledger.recorded)
    its.keep(entry(1, failures=1))
    its.drop(2)
    ledger.held.set()
    await until(lambda: ledger.failures)
    ledger.is_away = False
    await its.settle()

    assert await ledger.now(1) == entry(1, failures=1)
    assert await ledger.now(2) is None
    await its.close()


async def test_the_end_writes_what_is_left():
    ledger = WatchedLedger()
    its = journal(ledger)
    its.keep(entry(1))
    await its.close()

    assert await ledger.now(1) == entry(1)


async def test_the_end_does_not_wait_for_a_ledger_that_is_away_and_says_what_is_lost(caplog):
    ledger = WatchedLedger()
    ledger.is_away = True
    its = journal(ledger)
    its.keep(entry(1))
    its.keep(entry(2))
    async with asyncio.timeout(5):
        await its.close(longest_s=0.05)

    assert "the outcome ledger does not answer: 2 entries are not written" in caplog.text
    assert all("outcome ledger" not in task.get_name() for task in asyncio.all_tasks())


async def test_the_end_of_a_ledger_that_hangs_says_what_is_lost(caplog):
    ledger = WatchedLedger()
    ledger.held = asyncio.Event()
    its = journal(ledger)
    its.keep(entry(1))
    async with asyncio.timeout(5):
        await its.close(longest_s=0.05)

    assert "1 entries are not written" in caplog.text


async def test_without_anything_to_write_the_end_comes_at_once():
    async with asyncio.timeout(5):
        await journal(WatchedLedger()).close()
