"""Which job the code that runs just now works for."""

import asyncio
import contextlib

import pytest

from procos.telemetry.job_facts import facts_of_this_job, working_on

pytestmark = pytest.mark.anyio


def test_outside_of_a_job_there_are_none():
    assert facts_of_this_job() == {}


def test_they_are_those_of_the_innermost_job_and_gone_afterwards_whatever_happened():
    with working_on({"jobKey": 1}):
        with contextlib.suppress(ValueError), working_on({"jobKey": 2}):
            assert facts_of_this_job() == {"jobKey": 2}
            raise ValueError
        assert facts_of_this_job() == {"jobKey": 1}
    assert facts_of_this_job() == {}


async def test_jobs_side_by_side_do_not_see_each_others():
    async def work(key: int) -> object:
        with working_on({"jobKey": key}):
            await asyncio.sleep(0)
            return facts_of_this_job()["jobKey"]

    assert await asyncio.gather(*(work(key) for key in range(5))) == list(range(5))
