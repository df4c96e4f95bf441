"""What the wait-for TDE takes for an answer, on a real server."""

import threading

import pytest

from procos.sdk import GiveUp, RetryLater
from tests.unit.workers.http_caller import unused_port
from tests.unit.workers.loopback_server import CERTIFICATE, Reply, break_off, serving
from tests.unit.workers.waiter import WaitingJob

pytestmark = pytest.mark.anyio


def asking(server, config=None, **http):
    return WaitingJob(config, http={"url": server.url("/job/7?token=t"), **http})


@pytest.mark.parametrize("status", [404, 401, 429, 500, 503])
async def test_a_status_that_is_not_expected_is_waited_out_with_one_request_for_each_check(status):
    with serving(Reply(status, headers={"Retry-After": "60"}), Reply(200)) as server:
        job = asking(server)
        assert f"GET {server.url('/job/7')}: {status}" in str(await job.check())
        assert len(server.asked) == 1
        answer = await job.check_later(30)
    assert (answer.checks, answer.finding) == (2, f"GET {server.url('/job/7')}: 200")


async def test_a_task_says_which_status_it_waits_for():
    with serving(Reply(200), Reply(404)) as server:
        job = asking(server, expected_status=[404, 410], method="HEAD")
        assert isinstance(await job.check(), RetryLater)
        assert (await job.check()).checks == 2
    assert [asked.method for asked in server.asked] == ["HEAD", "HEAD"]


async def test_headers_and_query_are_sent():
    with serving() as server:
        await asking(server, request_headers={"X-Api-Key": "k"}, query_parameters={"full": True}).check()
    assert (server.asked[0].headers["X-Api-Key"], server.asked[0].path) == ("k", "/job/7?token=t&full=true")


JSON = {"state": "done", "n": 3, "ok": True, "none": None, "items": [{"a/b": 1.0, "m~n": "ü"}], "": {"": 0}}


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ({"pointer": "/state", "equals": "done"}, "done"),
        ({"pointer": "/n", "equals": 3.0}, 3),
        ({"pointer": "/ok", "equals": True}, True),
        ({"pointer": "/none", "equals": None}, None),
        ({"pointer": "/items/0", "equals": {"m~n": "ü", "a/b": 1}}, {"a/b": 1.0, "m~n": "ü"}),
        ({"pointer": "/items/0/a~1b", "one_of": ["x", 1]}, 1.0),
        ({"pointer": "/items/0/m~0n", "exists": True}, "ü"),
        ({"pointer": "/n", "at_least": 3}, 3),
        ({"pointer": "//", "equals": 0}, 0),
        ({"pointer": "", "exists": True}, JSON),
        ({"pointer": "/none", "exists": True}, None),
        ({"pointer": "/items/1", "exists": False}, None),
        ({"pointer": "/nothing/at/all", "exists": False}, None),
    ],
)
async def test_what_stands_in_the_answer_is_found_and_given_back(answer, value):
    with serving(Reply.json(JSON)) as server:
        found = await asking(server, answer=answer).check()
    assert (found.checks, found.value) == (1, value)


@pytest.mark.parametrize(
    "answer",
    [
        {"pointer": "/state", "equals": "Done"},
        {"pointer": "/n", "equals": "3"},
        {"pointer": "/ok", "equals": 1},
        {"pointer": "/ok", "at_least": 1},
        {"pointer": "/state", "at_least": 1},
        {"pointer": "/n", "at_least": 3.5},
        {"pointer": "/nothing", "equals": None},
        {"pointer": "/items/-", "exists": True},
        {"pointer": "/items/00", "exists": True},
        {"pointer": "/items/-1", "exists": True},
        {"pointer": "/items/" + "9" * 5000, "exists": True},
        {"pointer": "/state/0", "exists": True},
        {"pointer": "/state", "exists": False},
        {"pointer": "/items", "one_of": ["done"]},
    ],
)
async def test_what_does_not_stand_in_the_answer_is_waited_for(answer):
    with serving(Reply.json(JSON)) as server:
        assert isinstance(await asking(server, answer=answer).check(), RetryLater)


async def test_the_finding_says_what_stands_there_but_not_all_of_it():
    with serving(Reply.json({"s": "running"}), Reply.json({}), Reply.json({"s": "x" * 5000})) as server:
        job = asking(server, answer={"pointer": "/s", "equals": "done"})
        assert str(await job.check()).endswith('/s is "running"')
        assert str(await job.check()).endswith("/s is not there")
        assert len(str(await job.check())) < 600
        assert len(job.kept["finding"]) < 600


async def test_an_answer_that_is_no_json_has_nothing_at_the_pointer():
    with serving(Reply.text("<html>starting</html>"), Reply(204)) as server:
        job = asking(server, answer={"pointer": "/s", "exists": True})
        assert "/s is not there" in str(await job.check())
        assert "/s is not there" in str(await job.check())


async def test_a_server_that_is_not_there_yet_is_waited_for():
    outcome = await WaitingJob(http={"url": f"http://127.0.0.1:{unused_port()}/"}).check()
    assert isinstance(outcome, RetryLater)
    assert "refused the connection" in str(outcome)


async def test_a_connection_that_breaks_is_tried_once_for_each_check():
    with serving(break_off) as server:
        assert isinstance(await asking(server).check(), RetryLater)
    assert len(server.asked) == 1


async def test_a_host_that_is_not_allowed_gives_up_and_names_the_setting_of_this_tde():
    with serving() as server:
        with pytest.raises(GiveUp, match=r"not allowed; if it should be, change tde\.wait-for\.http\.allow_hosts"):
            await asking(server, {"http": {"allow_hosts": ["*.example.org"]}}).check()
        assert server.asked == []


async def test_a_certificate_that_is_not_trusted_gives_up_until_it_is():
    with serving(tls=True) as server:
        with pytest.raises(GiveUp, match=r"not trusted .* tde\.wait-for\.http\.ca_certificate"):
            await asking(server).check()
        assert (await asking(server, {"http": {"ca_certificate": CERTIFICATE}}).check()).checks == 1


async def test_an_answer_that_is_too_large_gives_up():
    config = {"http": {"max_response_bytes": 10}}
    with serving(Reply.text("x" * 11)) as server, pytest.raises(GiveUp, match=r"tde\.wait-for\.http\.max_response"):
        await asking(server, config).check()


async def test_a_slow_server_is_waited_for():
    over = threading.Event()
    with serving(lambda _: over.wait(20)) as server:
        outcome = await asking(server, time_limit_seconds=0.2).check()
        over.set()
    assert "no complete answer within 0.2 s" in str(outcome)
    assert "tde.wait-for.http.time_limit_seconds" in str(outcome)
