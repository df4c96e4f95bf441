"""What every OutcomeLedger does: the double, SQLite, and a real PostgreSQL."""

import asyncio
import math
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from procos.errors import StoreError
from procos.model.job import Completed, ErrorThrown, Failed, Outcome
from procos.model.ledger import LedgerEntry
from procos.ports.ledger import OutcomeLedger
from tests.contract.ledgers import KINDS, ledger_of, place_of, sql_ledger
from tests.servers.postgres import postgres_fixture, postgres_url_fixture  # noqa: F401 - fixtures, used by name

pytestmark = pytest.mark.anyio

KEY = 2251799813685249  # the first key of a Zeebe's first partition
STRANGE = "ä€😀 \ud800 \x00 \u2028 \"'\\ %s :name {}"
VARIABLES = {
    "text": STRANGE,
    STRANGE: 1,
    "": None,
    "numbers": [0, -1, 2**63, 10**30, 0.1, 1e308, -0.0],
    "nested": {"list": [[], {}, [True, False, None]]},
}
OUTCOMES: list[Outcome] = [
    Completed(),
    Completed(VARIABLES),
    Failed("no good: " + STRANGE, retries=2, backoff=timedelta(days=3, microseconds=1)),
    Failed("", retries=0),
    ErrorThrown("CODE", STRANGE, VARIABLES),
    ErrorThrown(""),
]


@pytest.fixture(params=KINDS)
async def ledger(request: pytest.FixtureRequest) -> AsyncIterator[OutcomeLedger]:
    async with ledger_of(request.param, request) as made:
        yield made


def entry(key: int = KEY, **parts: object) -> LedgerEntry:
    return LedgerEntry(job_key=key, **parts)  # type: ignore[arg-type]


async def test_a_job_without_an_entry_is_not_in_the_answer(ledger):
    assert await ledger.recall([]) == {}
    assert await ledger.recall([KEY, KEY + 1]) == {}


@pytest.mark.parametrize("outcome", OUTCOMES, ids=str)
async def test_an_outcome_comes_back_as_it_was(ledger, outcome):
    await ledger.record([entry(outcome=outcome)])

    assert await ledger.recall([KEY]) == {KEY: entry(outcome=outcome)}


@pytest.mark.parametrize("progress", [None, 0, False, "", STRANGE, [], {}, VARIABLES, [None]], ids=str)
async def test_progress_comes_back_as_it_was(ledger, progress):
    await ledger.record([entry(progress=progress, failures=3)])

    (found,) = (await ledger.recall([KEY])).values()
    assert found == entry(progress=progress, failures=3)
    assert type(found.progress) is type(progress)


async def test_an_entry_replaces_the_one_before_as_a_whole(ledger):
    await ledger.record([entry(failures=2, progress={"page": 7}, outcome=Completed({"a": 1}))])
    await ledger.record([entry(failures=3)])

    assert await ledger.recall([KEY]) == {KEY: entry(failures=3)}


async def test_of_two_entries_for_one_job_the_last_counts(ledger):
    await ledger.record([entry(failures=1), entry(failures=2)])

    assert await ledger.recall([KEY, KEY]) == {KEY: entry(failures=2)}


async def test_only_what_is_asked_for_comes_back(ledger):
    await ledger.record([entry(KEY + number, failures=number) for number in range(5)])

    found = await ledger.recall([KEY + 1, KEY + 3, KEY + 99])

    assert found == {KEY + 1: entry(KEY + 1, failures=1), KEY + 3: entry(KEY + 3, failures=3)}


async def test_a_forgotten_entry_is_gone_and_the_others_stay(ledger):
    await ledger.record([entry(), entry(KEY + 1), entry(KEY + 2)])
    await ledger.forget([])
    await ledger.forget({KEY, KEY + 2, KEY + 99})

    assert set(await ledger.recall([KEY, KEY + 1, KEY + 2])) == {KEY + 1}


async def test_ten_thousand_jobs_at_once(ledger):
    keys = list(range(KEY, KEY + 10_000))
    await ledger.record([entry(key, outcome=Completed({"key": key})) for key in keys])

    found = await ledger.recall(keys)

    assert len(found) == len(keys)
    assert found[keys[-1]] == entry(keys[-1], outcome=Completed({"key": keys[-1]}))
    await ledger.forget(keys[1:])
    assert set(await ledger.recall(keys)) == {KEY}


async def test_a_large_outcome(ledger):
    outcome = Completed({"text": "ä" * 1_000_000})
    await ledger.record([entry(outcome=outcome)])

    assert (await ledger.recall([KEY]))[KEY].outcome == outcome


async def test_many_callers_at_once_each_get_their_own(ledger):
    async def one_job(key: int) -> None:
        assert await ledger.recall([key]) == {}
        await ledger.record([entry(key, outcome=Completed({"key": key}))])
        assert await ledger.recall([key]) == {key: entry(key, outcome=Completed({"key": key}))}
        await ledger.forget([key])
        assert await ledger.recall([key]) == {}

    await asyncio.gather(*(one_job(KEY + number) for number in range(200)))


async def test_what_the_caller_changes_later_does_not_change_the_entry(ledger):
    variables, progress = {"list": [1]}, {"pages": [1]}
    await ledger.record([entry(outcome=Completed(variables), progress=progress)])
    variables["list"].append(2)
    progress["pages"].append(2)
    found = (await ledger.recall([KEY]))[KEY]
    found.progress["pages"].append(3)

    assert (await ledger.recall([KEY]))[KEY] == entry(outcome=Completed({"list": [1]}), progress={"pages": [1]})


@pytest.mark.parametrize("value", [{1, 2}, object(), math.nan, b"bytes"], ids=["set", "object", "nan", "bytes"])
async def test_what_is_not_json_is_refused_and_none_of_its_call_is_written(ledger, value):
    with pytest.raises(StoreError, match=f"job {KEY}: its progress.* not JSON"):
        await ledger.record([entry(KEY + 1), entry(progress=value)])
    with pytest.raises(StoreError, match="not JSON"):
        await ledger.record([entry(KEY + 1), entry(outcome=Completed({"a": value}))])

    assert await ledger.recall([KEY, KEY + 1]) == {}


async def test_pruning_removes_what_is_old_and_says_how_many(ledger):
    await ledger.record([entry(), entry(KEY + 1)])

    assert await ledger.prune(timedelta(hours=1)) == 0
    assert await ledger.prune(timedelta.max) == 0
    assert set(await ledger.recall([KEY, KEY + 1])) == {KEY, KEY + 1}
    assert await ledger.prune(timedelta(0)) == 2
    assert await ledger.recall([KEY, KEY + 1]) == {}
    assert await ledger.prune(timedelta(0)) == 0


async def test_a_closed_ledger_refuses(ledger):
    await ledger.record([entry()])
    await ledger.close()
    await ledger.close()

    for call in (ledger.recall([KEY]), ledger.record([entry()]), ledger.forget([KEY]), ledger.prune(timedelta(0))):
        with pytest.raises(StoreError, match="closed"):
            await call


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_entries_outlive_the_ledger_and_each_engine_has_its_own(kind, request):
    place = place_of(kind, request)
    async with sql_ledger(place, engine_id="one") as one, sql_ledger(place, engine_id="two %s ?") as two:
        await one.record([entry(failures=1)])
        await two.record([entry(failures=2)])
        assert await one.prune(timedelta(0)) == 1

    async with sql_ledger(place, engine_id="one") as one, sql_ledger(place, engine_id="two %s ?") as two:
        assert await one.recall([KEY]) == {}
        assert await two.recall([KEY]) == {KEY: entry(failures=2)}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("wrong", [entry(2**63), entry(failures=-1), entry(failures=2**31)], ids=str)
async def test_what_fits_into_no_column_is_refused_beforehand(kind, wrong, request):
    async with sql_ledger(place_of(kind, request)) as ledger:
        with pytest.raises(StoreError):
            await ledger.record([entry(KEY + 1), wrong])
        assert await ledger.recall([KEY + 1]) == {}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_two_processes_see_what_each_other_writes(kind, request):
    place = place_of(kind, request)
    async with sql_ledger(place) as ours, sql_ledger(place) as theirs:
        assert await ours.recall([KEY]) == {}
        await theirs.record([entry(failures=1)])
        assert await ours.recall([KEY]) == {KEY: entry(failures=1)}
        await ours.forget([KEY])
        assert await theirs.recall([KEY]) == {}


def test_a_ledger_serves_one_event_loop_after_another(tmp_path):
    async def write_and_read() -> None:
        async with sql_ledger(tmp_path / "procos.db", always_in_thread=True) as ledger:
            await ledger.record([entry()])
            await asyncio.to_thread(lambda: asyncio.run(read(ledger)))

    async def read(ledger: OutcomeLedger) -> None:
        assert set(await ledger.recall([KEY])) == {KEY}

    asyncio.run(write_and_read())
