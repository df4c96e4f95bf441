"""How often a failed job is tried again, and when, by its TDE's policy and its task's headers."""

from datetime import timedelta
from typing import Any

import pytest

from procos.errors import GiveUp, RetryLater
from procos.runtime.attempt import Attempt
from procos.runtime.retries import backoff, policy_of, retries_left
from procos.sdk import RetryPolicy
from tests.unit.runtime.a_job import a_job

PLAIN = RetryPolicy(first_backoff=timedelta(seconds=8), factor=2, jitter=0)
S = timedelta(seconds=1)


def left(error: BaseException, *, failures: int = 0, retries: int = 3, policy: RetryPolicy = PLAIN, **headers: str):
    job = a_job(retries=retries, headers=headers)
    return retries_left(job, Attempt(job, failures=failures), policy_of(policy, job), error)


def wait(*, failures: int = 0, policy: RetryPolicy = PLAIN, error: BaseException | None = None, **headers: str):
    job = a_job(headers=headers)
    return backoff(Attempt(job, failures=failures), policy_of(policy, job), error or ValueError())


# How often


def test_without_a_number_of_attempts_the_tasks_own_retries_count_down():
    assert [left(ValueError(), retries=retries) for retries in (3, 2, 1, 0)] == [2, 1, 0, 0]


def test_the_policys_attempts_overrule_the_tasks_retries():
    policy = RetryPolicy(attempts=4)
    found = [left(ValueError(), failures=failures, retries=1, policy=policy) for failures in range(6)]

    assert found == [3, 2, 1, 0, 0, 0]


def test_the_header_overrules_the_policys_attempts():
    assert left(ValueError(), policy=RetryPolicy(attempts=2), retryAttempts="10") == 9
    assert left(ValueError(), retries=9, retryAttempts="1") == 0


def test_giving_up_leaves_none():
    assert left(GiveUp("no"), retries=9, policy=RetryPolicy(attempts=9)) == 0


def test_retrying_later_uses_one_up_or_none():
    assert left(RetryLater("x", after=S)) == 2
    assert left(RetryLater("x", after=S, keep_retries=True)) == 3
    assert left(RetryLater("x", after=S, keep_retries=True), failures=9, policy=RetryPolicy(attempts=2)) == 3


def test_retrying_later_with_attempts_counts_the_attempts():
    assert left(RetryLater("x", after=S), failures=1, policy=RetryPolicy(attempts=2)) == 0


def test_what_the_policy_gives_up_on_is_not_tried_again_nor_are_its_subclasses():
    policy = RetryPolicy(give_up_on=(LookupError,))

    assert (left(KeyError(), policy=policy), left(ValueError(), policy=policy)) == (0, 2)


def test_only_what_the_policy_retries_on_is_tried_again():
    policy = RetryPolicy(retry_on=(ConnectionError,))

    assert (left(ConnectionResetError(), policy=policy), left(ValueError(), policy=policy)) == (2, 0)


def test_retrying_later_is_not_subject_to_the_policys_errors():
    assert left(RetryLater("x", after=S), policy=RetryPolicy(retry_on=(ConnectionError,))) == 2


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("KeyError", 0),
        ("LookupError", 0),
        ("Exception", 0),
        ("OSError, KeyError ,X", 0),
        ("keyerror", 2),
        ("", 2),
        (",", 2),
    ],
)
def test_the_header_names_errors_to_give_up_on_by_their_class_or_a_base_class(names, expected):
    assert left(KeyError("x"), giveUpOn=names) == expected


# When


def test_waits_double_up_to_the_longest():
    policy = RetryPolicy(first_backoff=8 * S, factor=2, longest_backoff=30 * S, jitter=0)

    assert [wait(failures=n, policy=policy) for n in range(4)] == [8 * S, 16 * S, 30 * S, 30 * S]


def test_retrying_later_says_when_itself_and_never_before_now():
    assert wait(error=RetryLater("x", after=7 * S), retryBackoff="PT1H") == 7 * S
    assert wait(error=RetryLater("x", after=-7 * S)) == timedelta(0)


def test_the_header_backoff_stays_the_same_each_time():
    policy = RetryPolicy(first_backoff=S, factor=3, jitter=0.5)

    assert [wait(failures=n, policy=policy, retryBackoff="PT5S") for n in range(3)] == [5 * S] * 3


def test_the_header_backoff_may_be_longer_than_the_policys_longest():
    assert wait(policy=RetryPolicy(longest_backoff=S), retryBackoff="PT1H") == timedelta(hours=1)


def test_the_header_factor_makes_waits_longer():
    assert [wait(failures=n, retryBackoff="PT5S", retryBackoffFactor="1.5") for n in range(3)] == [
        5 * S,
        7.5 * S,
        11.25 * S,
    ]


def test_the_header_factor_alone_changes_the_policys():
    assert [wait(failures=n, retryBackoffFactor="10") for n in range(2)] == [8 * S, 80 * S]


def test_the_header_longest_is_never_exceeded():
    assert wait(failures=9, retryLongestBackoff="PT20S") == 20 * S
    assert wait(retryBackoff="PT1M", retryLongestBackoff="PT20S") == 20 * S


@pytest.mark.parametrize("failures", [2, 60, 10_000])
def test_numbers_beyond_all_measure_end_at_the_longest(failures):
    assert wait(failures=failures, retryBackoffFactor="1e300") == PLAIN.longest_backoff
    assert wait(failures=failures, retryBackoff="P999999999D", retryBackoffFactor="9") == timedelta(days=999_999_999)


@pytest.mark.parametrize(
    ("header", "text", "expected"),
    [
        ("retryAttempts", "many", "a whole number from 1"),
        ("retryAttempts", "0", "a whole number from 1"),
        ("retryAttempts", "-1", "a whole number from 1"),
        ("retryAttempts", "2.5", "a whole number from 1"),
        ("retryBackoff", "soon", "an ISO 8601 duration such as PT5S"),
        ("retryBackoff", "-PT5S", "an ISO 8601 duration such as PT5S"),
        ("retryBackoffFactor", "0.5", "a number from 1"),
        ("retryBackoffFactor", "inf", "a number from 1"),
        ("retryBackoffFactor", "nan", "a number from 1"),
        ("retryLongestBackoff", "P1X", "an ISO 8601 duration such as PT5M"),
    ],
)  # fmt: skip
def test_a_header_that_cannot_be_read_is_ignored_with_a_warning(header, text, expected, caplog):
    job = a_job(headers={header: text})

    assert policy_of(PLAIN, job) is PLAIN
    assert caplog.messages == [f"job 7, element 'Task_1': header {header} is {text!r}, not {expected}; it is ignored"]


def test_one_wrong_header_does_not_spoil_the_others(caplog):
    assert wait(retryBackoff="PT3S", retryBackoffFactor="x") == 3 * S
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("headers", [{}, {"other": "x"}, {"retryBackoff": ""}])
def test_without_headers_the_policy_is_the_tdes_own(headers: dict[str, Any]):
    assert policy_of(PLAIN, a_job(headers=headers)) is PLAIN
