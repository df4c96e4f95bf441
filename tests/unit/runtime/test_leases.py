"""Leases: how much of one is left when a job comes, and that it is renewed in time."""

import asyncio
import itertools
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from procos.errors import EngineNotFound, EngineUnavailable
from procos.model.job import Job
from procos.runtime.leases import RENEW_AGAIN_AFTER, RENEW_AT, HeldJob, Leases
from procos.telemetry.metrics import WorkerMetrics
from tests.unit.runtime.a_job import a_job

pytestmark = pytest.mark.anyio

MINUTE = timedelta(minutes=1)
SHORT = timedelta(milliseconds=200)


class Renewals:
    """Renews, or raises what it is told to; notes when it was asked."""

    def __init__(self, *faults: Exception) -> None:
        self.asked_at: list[float] = []
        self._faults = list(faults)
        self._changed = asyncio.Event()

    async def renew(self, *_: object) -> None:
        self.asked_at.append(time.monotonic())
        self._changed.set()
        self._changed = asyncio.Event()
        if self._faults:
            raise self._faults.pop(0)

    async def asked(self, times: int) -> None:
        async with asyncio.timeout(10):
            while len(self.asked_at) < times:
                await self._changed.wait()
        await asyncio.sleep(0)


def leases(source: Renewals, lease: timedelta = MINUTE) -> Leases:
    return Leases(source, lease, WorkerMetrics("tde.some"))


KEYS = itertools.count(1)


def aged(lease: timedelta, age: timedelta, *, clocks_apart: timedelta = timedelta(0)) -> Job:
    """A job that was leased `age` ago by an engine whose clock is ahead by `clocks_apart`."""
    return replace(a_job(key=next(KEYS)), deadline=datetime.now(UTC) + lease - age + clocks_apart)


def hold(held_by: Leases, job: Job, **options: bool) -> HeldJob:
    held = held_by.hold(job, **options)
    assert held is not None
    return held


# What is left


@pytest.mark.parametrize("clocks_apart", [timedelta(0), timedelta(hours=-5), timedelta(hours=5)])
async def test_a_fresh_job_has_its_whole_lease_however_far_the_clocks_are_apart(clocks_apart):
    held_by = leases(Renewals())
    held = hold(held_by, aged(MINUTE, timedelta(0), clocks_apart=clocks_apart))

    assert 59 < held.seconds_left() <= 60
    held_by.release(held)


@pytest.mark.parametrize("clocks_apart", [timedelta(0), timedelta(hours=-5), timedelta(hours=5)])
async def test_a_job_that_waited_on_the_way_has_that_much_less(clocks_apart):
    held_by = leases(Renewals())
    young = hold(held_by, aged(MINUTE, timedelta(0), clocks_apart=clocks_apart))
    old = hold(held_by, aged(MINUTE, timedelta(seconds=40), clocks_apart=clocks_apart))

    assert 19 < old.seconds_left() <= 20.1
    for held in (young, old):
        held_by.release(held)


async def test_a_job_whose_lease_is_over_when_it_comes_is_not_held(caplog):
    held_by = leases(Renewals())
    young = hold(held_by, aged(MINUTE, timedelta(0)))

    with caplog.at_level("INFO"):
        assert held_by.hold(aged(MINUTE, timedelta(seconds=61))) is None
    assert "came after its lease was over" in caplog.text
    held_by.release(young)


async def test_a_job_that_was_asked_for_just_now_is_held_though_the_engines_clock_was_set_back():
    held_by = leases(Renewals())
    before = hold(held_by, aged(MINUTE, timedelta(0)))
    asked_for = hold(held_by, aged(MINUTE, timedelta(hours=1)), is_fresh=True)
    pushed = hold(held_by, aged(MINUTE, timedelta(hours=1)))

    assert 59 < asked_for.seconds_left() <= 60
    assert 59 < pushed.seconds_left() <= 60
    for held in (before, asked_for, pushed):
        held_by.release(held)


async def test_a_job_that_comes_again_though_its_lease_is_not_over_was_failed_and_is_held_anew():
    held_by = leases(Renewals())
    first = hold(held_by, a_job())
    again = hold(held_by, a_job(retries=2))

    assert again is not first
    held_by.release(first)
    held_by.release(again)


async def test_a_job_that_comes_again_because_its_lease_ran_out_goes_on_with_the_new_one():
    lease = timedelta(milliseconds=20)
    held_by = leases(Renewals(*[EngineUnavailable("away")] * 999), lease)
    held = hold(held_by, aged(lease, timedelta(0)))
    await asyncio.sleep(0.03)

    assert held_by.hold(replace(held.job, deadline=datetime.now(UTC) + lease)) is None
    assert held.seconds_left() > 0
    held_by.release(held)


# Renewal


async def test_a_lease_is_renewed_in_time_again_and_again_until_it_is_released():
    source = Renewals()
    held_by = leases(source, SHORT)
    held = hold(held_by, a_job())
    start = time.monotonic()
    await source.asked(2)
    assert held.ends_at >= source.asked_at[1] - 0.01 + SHORT.total_seconds() - 0.05
    held_by.release(held)
    await asyncio.sleep(SHORT.total_seconds())

    assert len(source.asked_at) == 2
    assert source.asked_at[0] - start >= SHORT.total_seconds() * RENEW_AT * 0.95


async def test_a_job_that_came_late_is_renewed_earlier():
    source = Renewals()
    held_by = leases(source, MINUTE)
    young = hold(held_by, aged(MINUTE, timedelta(0)))
    late = hold(held_by, aged(MINUTE, MINUTE * (RENEW_AT + 0.1)))
    await source.asked(1)

    assert late.seconds_left() > 59
    for held in (young, late):
        held_by.release(held)


async def test_a_renewal_that_fails_is_tried_again_soon_and_told(caplog):
    lease = timedelta(seconds=1)
    source = Renewals(EngineUnavailable("away"), EngineUnavailable("away"))
    held_by = leases(source, lease)
    young = hold(held_by, aged(lease, timedelta(0)))
    held = hold(held_by, aged(lease, lease * 0.6))
    await source.asked(3)

    assert source.asked_at[2] - source.asked_at[0] < 3 * lease.total_seconds() * RENEW_AGAIN_AFTER + 0.3
    assert held.seconds_left() > 0.5
    assert caplog.text.count(f"the lease of job {held.job.key} could not be renewed: away") == 2
    for one in (young, held):
        held_by.release(one)


async def test_a_job_that_is_gone_is_noticed_and_renewed_no_more():
    source = Renewals(EngineNotFound("no such job"))
    held_by = leases(source, timedelta(milliseconds=50))
    told = asyncio.Event()
    held = hold(held_by, a_job())
    held.when_gone = told.set
    async with asyncio.timeout(10):
        await told.wait()
    await asyncio.sleep(0.1)

    assert held.is_gone
    assert len(source.asked_at) == 1
    held_by.release(held)
