"""Which hosts and redirects the http TDE follows, and what travels along."""

import pytest
from pydantic import ValidationError

from procos.sdk import GiveUp
from procos_workers.http_config import HttpConfig
from procos_workers.http_failure import HttpFailed
from tests.unit.workers.http_caller import call
from tests.unit.workers.loopback_server import Reply, by_path, redirect, serving

pytestmark = pytest.mark.anyio


async def test_redirects_are_followed_and_the_final_url_is_given_back():
    with serving(by_path(old=redirect("/new/x?k=1"), new=Reply.text("here"))) as server:
        answer = await call(server.url("/old"))
    assert (answer.body, answer.url) == ("here", server.url("/new/x"))


async def test_credentials_do_not_follow_to_another_host():
    with serving(Reply.text("there")) as other, serving(redirect(other.url("/x", host="localhost"), 307)) as server:
        await call(
            server.url(),
            method="POST",
            text_body="order",
            request_headers={
                "Authorization": "Bearer t",
                "X-Api-Key": "k",
                "Cookie": "c=1",
                "Accept": "text/plain",
            },
        )
    first, second = server.asked[0].headers, other.asked[0].headers
    assert (first["Authorization"], first["X-Api-Key"], first["Cookie"]) == ("Bearer t", "k", "c=1")
    assert (second["Authorization"], second["X-Api-Key"], second["Cookie"]) == (None, None, None)
    assert (second["Accept"], second["Host"], other.asked[0].body) == (
        "text/plain",
        f"localhost:{other.port}",
        b"order",
    )


async def test_credentials_of_the_url_do_not_follow_to_another_port():
    with serving() as other, serving(redirect(other.url())) as server:
        await call(f"http://ada:geheim@127.0.0.1:{server.port}/")
    assert (server.asked[0].headers["Authorization"] is None, other.asked[0].headers["Authorization"]) == (False, None)


async def test_credentials_stay_with_the_same_host():
    with serving(by_path(old=redirect("/new"), new=Reply())) as server:
        await call(server.url("/old"), request_headers={"X-Api-Key": "k", "Authorization": "Bearer t"})
    assert [(asked.headers["X-Api-Key"], asked.headers["Authorization"]) for asked in server.asked] == [
        ("k", "Bearer t"),
        ("k", "Bearer t"),
    ]


async def test_endless_redirects_give_up():
    with (
        serving(redirect("/again")) as server,
        pytest.raises(GiveUp, match=r"too many redirects; .* tde\.http\.max_redirects"),
    ):
        await call(server.url(), HttpConfig(max_redirects=3))
    assert len(server.asked) == 4


@pytest.mark.parametrize(
    ("config", "fields"), [(HttpConfig(follow_redirects=False), {}), (HttpConfig(), {"follow_redirects": False})]
)
async def test_a_redirect_that_is_not_followed_gives_up_or_is_the_answer(config, fields):
    with serving(redirect("/new")) as server:
        with pytest.raises(GiveUp, match=r"302 Found \(a redirect, and following them is switched off"):
            await call(server.url(), config, **fields)
        answer = await call(server.url(), config, expected_status=[302], **fields)
    assert (answer.status, answer.headers["location"]) == (302, "/new")


async def test_a_redirect_to_a_host_that_is_not_allowed_is_not_followed():
    with (
        serving() as other,
        serving(redirect(other.url("/in?q=geheim", host="localhost"))) as server,
        pytest.raises(GiveUp, match="the host localhost is not allowed") as caught,
    ):
        await call(server.url("/out"), HttpConfig(allow_hosts=["127.*"]))
    assert other.asked == []
    assert str(caught.value).startswith(
        f"GET {server.url('/out')}, redirected to {other.url('/in', host='localhost')}: "
    )


async def test_a_redirect_away_from_http_is_not_followed():
    with (
        serving(redirect("ftp://127.0.0.1/secret")) as server,
        pytest.raises(GiveUp, match="redirected to a URL that is not http or https"),
    ):
        await call(server.url())


@pytest.mark.parametrize("location", ["http://[", "http://exa mple.org:port/", "http:///nowhere"])
async def test_a_redirect_to_nonsense_is_an_error_that_names_the_request(location):
    with (
        serving(redirect(location)) as server,
        pytest.raises((GiveUp, HttpFailed), match=f"POST {server.url('/x')}"),
    ):
        await call(server.url("/x"), HttpConfig(max_redirects=1), method="POST")


@pytest.mark.parametrize(
    ("host", "config"),
    [
        ("127.0.0.1", HttpConfig(allow_hosts=["*.example.org"])),
        ("127.0.0.1", HttpConfig(deny_hosts=["127.*"])),
        ("127.1", HttpConfig(deny_hosts=["127.0.0.1"])),
        ("2130706433", HttpConfig(deny_hosts=["127.*"])),
        ("[::ffff:127.0.0.1]", HttpConfig(deny_hosts=["127.*"])),
        ("LOCALHOST.", HttpConfig(allow_hosts=["*"], deny_hosts=["LocalHost"])),
    ],
)
async def test_a_host_that_is_not_allowed_is_not_called(host, config):
    with (
        serving() as server,
        pytest.raises(GiveUp, match=r"is not allowed; .* tde\.http\.allow_hosts or tde\.http\.deny_hosts"),
    ):
        await call(server.url(host=host), config)
    assert server.asked == []


@pytest.mark.parametrize(
    "pattern", ["", "https://example.org", "example.org:443", "example.org/x", "[a-z]", "münchen.de"]
)
async def test_a_host_pattern_that_would_never_match_is_refused(pattern):
    with pytest.raises(ValidationError, match="not a pattern for host names"):
        HttpConfig(deny_hosts=[pattern])
