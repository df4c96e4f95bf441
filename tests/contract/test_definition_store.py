"""What every DefinitionStore does: the double, SQLite, and a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone

import pytest

from procos.errors import StoreError
from procos.model.definition import ProcessDefinition, TaskElement
from procos.ports.definitions import DefinitionStore
from tests.contract.ledgers import place_of
from tests.contract.memories import KINDS, STRANGE, definitions_of, sql_definitions
from tests.servers.postgres import postgres_fixture, postgres_url_fixture  # noqa: F401 - fixtures, used by name

pytestmark = pytest.mark.anyio

KEY = 2251799813685249
NOW = datetime(2026, 11, 22, 17, 0, 0, 123456, tzinfo=UTC)
ELEMENTS = (
    TaskElement(element_id="a", name=STRANGE, documentation="x" * 20_000, lane="問", job_type="check"),
    TaskElement(element_id="b"),
    TaskElement(element_id="c", job_type=STRANGE),
)


@pytest.fixture(params=KINDS)
async def store(request: pytest.FixtureRequest) -> AsyncIterator[DefinitionStore]:
    async with definitions_of(request.param, request) as made:
        yield made


def definition(key: int = KEY, **parts: object) -> ProcessDefinition:
    facts = {"id": "order", "version": 1, "resource_name": "order.bpmn", "xml": b"<a/>", "deployed_at": NOW}
    return ProcessDefinition.model_validate({"key": key, **facts, **parts})


async def test_a_definition_that_was_not_deployed_through_procos_is_none(store):
    assert await store.get(KEY) is None
    assert await store.job_types() == frozenset()


async def test_a_definition_comes_back_as_it_was(store):
    full = definition(
        id=STRANGE,
        version=2**31 - 1,
        name=STRANGE,
        resource_name=STRANGE,
        xml=bytes(range(256)),
        elements=ELEMENTS,
        deployed_by=STRANGE,
        deployed_at=NOW.astimezone(timezone(timedelta(hours=5, minutes=30))),
    )
    await store.record([full, definition(KEY + 1)])

    assert await store.get(KEY) == full
    assert await store.get(KEY + 1) == definition(KEY + 1)


async def test_a_definition_whose_key_is_known_stays_as_it_is(store):
    await store.record([definition(name="first")])
    await store.record([definition(name="second"), definition(KEY + 1, name="new")])

    assert (await store.get(KEY)).name == "first"
    assert (await store.get(KEY + 1)).name == "new"


async def test_of_two_definitions_with_one_key_the_first_stays(store):
    await store.record([definition(name="first"), definition(name="second")])

    assert (await store.get(KEY)).name == "first"


async def test_nothing_to_record_is_no_error(store):
    await store.record([])

    assert await store.job_types() == frozenset()


async def test_job_types_are_those_of_all_versions_without_expressions(store):
    await store.record([definition(elements=ELEMENTS)])
    assert await store.job_types() == {"check", STRANGE}
    await store.record([definition(KEY + 1, elements=(TaskElement(element_id="d", job_type="bill"),))])
    assert await store.job_types() == {"check", STRANGE, "bill"}
    await store.record([definition(KEY + 1, elements=(TaskElement(element_id="e", job_type="late"),))])
    assert await store.job_types() == {"check", STRANGE, "bill"}


async def test_a_thousand_definitions_and_one_of_four_megabytes(store):
    many = [definition(KEY + n, elements=(TaskElement(element_id="a", job_type=f"type-{n}"),)) for n in range(1, 1_201)]
    large = definition(xml=b"\0\xff" * 2 * 1024**2)
    await store.record([large, *many])

    assert len(await store.job_types()) == 1_200
    assert await store.get(KEY) == large


async def test_a_moment_without_a_time_zone_is_refused_and_none_of_its_call_is_kept(store):
    with pytest.raises(StoreError, match="has no time zone"):
        await store.record([definition(KEY + 1), definition(deployed_at=datetime(2026, 1, 1))])

    assert await store.get(KEY + 1) is None


async def test_many_callers_at_once_each_get_their_own(store):
    async def one(key: int) -> None:
        await store.record([definition(key, name=str(key))])
        assert (await store.get(key)).name == str(key)

    await asyncio.gather(*(one(KEY + n) for n in range(50)))


async def test_a_closed_store_refuses(store):
    await store.close()
    await store.close()

    for call in (store.record([definition()]), store.get(KEY), store.job_types()):
        with pytest.raises(StoreError, match="closed"):
            await call


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_definitions_outlive_the_store_and_each_engine_has_its_own(kind, request):
    place = place_of(kind, request)
    async with sql_definitions(place, engine_id="one") as one, sql_definitions(place, engine_id="two %s ?") as two:
        await one.record([definition(name="of one", elements=ELEMENTS)])
        await two.record([definition(name="of two")])

    async with sql_definitions(place, engine_id="one") as one, sql_definitions(place, engine_id="two %s ?") as two:
        assert (await one.get(KEY)).name == "of one"
        assert (await two.get(KEY)).name == "of two"
        assert await two.job_types() == frozenset()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_two_processes_see_what_each_other_records(kind, request):
    place = place_of(kind, request)
    async with sql_definitions(place) as ours, sql_definitions(place) as theirs:
        assert await ours.job_types() == frozenset()
        await theirs.record([definition(elements=ELEMENTS)])
        assert await ours.job_types() == {"check", STRANGE}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("wrong", [{"key": 2**63}, {"version": 2**31}, {"version": -1}], ids=str)
async def test_what_fits_into_no_column_is_refused_beforehand(kind, wrong, request):
    async with sql_definitions(place_of(kind, request)) as store:
        with pytest.raises(StoreError):
            await store.record([definition(KEY + 1), definition(**wrong)])
        assert await store.get(KEY + 1) is None
        with pytest.raises(StoreError, match="no process definition key"):
            await store.get(2**63)
