"""RetryPolicy: how long to wait after which attempt."""

from datetime import timedelta

import pytest

from procos.sdk import RetryPolicy


def seconds(policy: RetryPolicy, attempt: int) -> float:
    return policy.backoff(attempt).total_seconds()


def test_without_jitter_the_wait_grows_by_its_factor():
    policy = RetryPolicy(first_backoff=timedelta(seconds=2), factor=3, jitter=0)

    assert [seconds(policy, attempt) for attempt in (1, 2, 3)] == [2, 6, 18]


@pytest.mark.parametrize("attempt", [20, 1000, 10**9])
def test_the_wait_is_never_longer_than_the_longest(attempt):
    policy = RetryPolicy(longest_backoff=timedelta(seconds=60), jitter=0)

    assert seconds(policy, attempt) == 60


def test_jitter_varies_the_wait_within_its_bounds():
    policy = RetryPolicy(first_backoff=timedelta(seconds=10), jitter=0.2)

    waits = {seconds(policy, 1) for _ in range(200)}

    assert len(waits) > 100
    assert all(8 <= wait <= 12 for wait in waits)


def test_a_policy_may_wait_not_at_all():
    assert RetryPolicy(first_backoff=timedelta(0)).backoff(5) == timedelta(0)
