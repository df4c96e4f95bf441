"""How many jobs a worker takes in."""

import asyncio

import pytest

from procos.runtime.room import ENOUGH_IN_HAND, LOOK_AHEAD_S, MOST_DELIVERING, Room

pytestmark = pytest.mark.anyio


async def waits(room: Room, *, for_a_request: bool = False) -> bool:
    """Whether `until_free` still waits after everything that can happen has happened."""
    waiting = asyncio.create_task(room.until_free(for_a_request=for_a_request))
    for _ in range(5):
        await asyncio.sleep(0)
    still_waits = not waiting.done()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    return still_waits


def test_before_any_function_has_run_there_is_room_for_the_slots_alone():
    assert Room(8).free() == 8


def test_long_functions_have_nothing_fetched_in_advance():
    room = Room(8)
    room.took(60)

    assert room.free() == 8


def test_short_functions_have_as_much_fetched_in_advance_as_they_use_up_meanwhile():
    room = Room(8)
    room.took(LOOK_AHEAD_S / 3)

    assert room.free() == 8 + 24


@pytest.mark.parametrize("seconds", [0, 1e-9])
def test_however_short_they_are_there_is_a_limit(seconds):
    room = Room(32)
    room.took(seconds)

    assert room.free() == ENOUGH_IN_HAND


def test_slots_that_are_more_than_enough_are_filled_and_nothing_is_fetched_in_advance():
    room = Room(2 * ENOUGH_IN_HAND)
    room.took(0)

    assert room.free() == 2 * ENOUGH_IN_HAND


def test_one_odd_duration_does_not_decide_but_a_lasting_change_does():
    room = Room(10)
    room.took(LOOK_AHEAD_S)
    room.took(LOOK_AHEAD_S * 3)
    after_one = room.free()
    for _ in range(60):
        room.took(LOOK_AHEAD_S * 100)

    assert after_one == 10 + int(10 / 1.2)
    assert room.free() == 10


def test_what_runs_and_what_waits_takes_room():
    room = Room(8)
    room.busy, room.ready = 3, 2

    assert room.free() == 3


def test_results_on_their_way_take_room_once_they_are_more_than_the_slots():
    room = Room(8)
    room.delivering = 8
    usual = room.free()
    room.delivering = 13

    assert usual == 8
    assert room.free() == 3


def test_results_on_their_way_take_room_once_they_are_too_many_for_the_engine():
    room = Room(10 * MOST_DELIVERING)
    room.delivering = MOST_DELIVERING + 7

    assert room.free() == 10 * MOST_DELIVERING - 7


def test_a_slot_is_idle_when_nothing_runs_in_it_and_nothing_waits_for_it():
    room = Room(2)
    room.busy = 1
    assert room.has_idle_slot()
    room.ready = 1
    assert not room.has_idle_slot()
    room.busy, room.ready = 2, 0
    assert not room.has_idle_slot()


async def test_a_request_waits_until_it_is_worth_it_while_no_slot_is_idle():
    room = Room(10)
    room.took(LOOK_AHEAD_S)  # room for 10 + 10
    room.busy, room.ready = 10, 5
    assert await waits(room, for_a_request=True), "5 of 20 are not worth a request"
    assert not await waits(room), "a stream may bring them one by one"
    room.ready = 4
    assert not await waits(room, for_a_request=True), "6 of 20 are"


async def test_a_request_does_not_wait_while_a_slot_is_idle_that_will_be_for_long():
    room = Room(10)
    room.took(LOOK_AHEAD_S * 11)
    room.busy = 9

    assert room.free() == 1
    assert not await waits(room, for_a_request=True)


async def test_a_request_waits_although_a_slot_is_idle_where_more_room_comes_soon():
    room = Room(1_000)
    room.took(LOOK_AHEAD_S)
    room.busy = 900
    assert await waits(room, for_a_request=True)
    room.busy = 700
    assert not await waits(room, for_a_request=True)


async def test_nobody_gets_past_a_full_room_idle_slot_or_not():
    room = Room(4)
    room.delivering = 8

    assert room.has_idle_slot()
    assert await waits(room)
    assert await waits(room, for_a_request=True)


async def test_whoever_waits_is_told_of_each_change():
    room = Room(1)
    room.busy = 1
    waiting = [asyncio.create_task(room.until_free(for_a_request=which)) for which in (True, False)]
    await asyncio.sleep(0)
    room.busy = 0
    room.tell()

    async with asyncio.timeout(5):
        await asyncio.gather(*waiting)
