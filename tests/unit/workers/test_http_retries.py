"""When the http TDE tries again, gives the job back, or gives up."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler

import pytest

from procos.sdk import RetryLater
from procos_workers.http_answer import retry_after
from procos_workers.http_config import HttpConfig
from procos_workers.http_failure import HttpFailed
from tests.unit.workers.http_caller import call
from tests.unit.workers.loopback_server import Reply, break_off, serving

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("wait", ["0", "Wed, 01 Jan 2020 00:00:00 GMT"])
async def test_a_short_wait_is_kept_inside_the_job(status, wait):
    with serving(Reply(status, headers={"Retry-After": wait}), Reply.text("done")) as server:
        answer = await call(server.url(), method="POST", text_body="x")
    assert answer.body == "done"
    assert [(asked.body, asked.headers["Idempotency-Key"]) for asked in server.asked] == [
        (b"x", "2251799813685301"),
        (b"x", "2251799813685301"),
    ]


async def test_a_wait_in_seconds_is_waited_out():
    with serving(Reply(429, headers={"Retry-After": "1"}), Reply.text("done")) as server:
        answer = await call(server.url(), HttpConfig(longest_wait_seconds=1))
    assert answer.body == "done"


async def test_a_long_wait_gives_the_job_back_for_that_time():
    with (
        serving(Reply.text("come back", 503, Retry_After="31")) as server,
        pytest.raises(RetryLater, match="503 Service Unavailable: come back") as caught,
    ):
        await call(server.url())
    assert caught.value.after == timedelta(seconds=31)
    assert len(server.asked) == 1


async def test_a_long_wait_until_a_date_gives_the_job_back_until_then():
    date = format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True)
    with serving(Reply(429, headers={"Retry-After": date})) as server, pytest.raises(RetryLater) as caught:
        await call(server.url())
    assert timedelta(hours=1) < caught.value.after <= timedelta(hours=2)


async def test_the_waits_of_a_job_add_up():
    refusal = Reply(429, headers={"Retry-After": "1"})
    with serving(refusal) as server, pytest.raises(RetryLater) as caught:
        await call(server.url(), HttpConfig(longest_wait_seconds=1.5))
    assert (len(server.asked), caught.value.after) == (2, timedelta(seconds=1))


async def test_a_server_that_never_says_when_is_asked_three_times():
    with serving(Reply(503)) as server, pytest.raises(HttpFailed, match="503"):
        await call(server.url())
    assert len(server.asked) == 3


async def test_a_broken_connection_is_tried_again_for_a_method_that_may_be_repeated():
    with serving(break_off, Reply.text("done")) as server:
        assert (await call(server.url(), method="PUT")).body == "done"
    assert len(server.asked) == 2


async def test_a_broken_connection_is_not_tried_again_at_once_for_a_post():
    with (
        serving(break_off) as server,
        pytest.raises(HttpFailed, match=r"POST .*: the connection to 127\.0\.0\.1:\d+ broke"),
    ):
        await call(server.url(), method="POST")
    assert len(server.asked) == 1


async def test_an_answer_that_breaks_off_is_an_error_not_a_short_body():
    with serving(Reply(200, b"half", {"Content-Length": "8"}), Reply.text("whole")) as server:
        server.script[0] = _half
        assert (await call(server.url())).body == "whole"


def _half(handler: BaseHTTPRequestHandler) -> None:
    Reply(200, b"half", {"Content-Length": "8"})(handler)
    handler.close_connection = True


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("Sun, 06 Nov 1994 08:50:37 GMT", 60),
        ("Sun, 06 Nov 1994 08:50:37 -0000", 60),
        ("Sun, 06 Nov 1994 08:40:00 GMT", 0),
        ("999999999999999999999999", 86400),
        ("Sun, 06 Nov 2094 08:49:37 GMT", 86400),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
async def test_retry_after_is_read_in_both_forms(value, seconds):
    wait = retry_after(value, now=datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC))
    assert wait == (None if seconds is None else timedelta(seconds=seconds))
