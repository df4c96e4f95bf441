"""The http TDE against real servers on loopback."""

import asyncio
import base64
import gzip
import json
import logging
import os
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from pydantic import ValidationError

from procos.sdk import GiveUp, RetryLater
from procos_workers.http import http
from procos_workers.http_answer import HttpAnswer, retry_after
from procos_workers.http_config import HttpConfig
from procos_workers.http_failure import HttpFailed
from procos_workers.http_request import HttpRequest
from tests.unit.workers.context import task_context
from tests.unit.workers.loopback_server import CERTIFICATE, Reply, break_off, by_path, redirect, serving

pytestmark = pytest.mark.anyio


async def call(url: str, config: HttpConfig | None = None, **fields: object) -> HttpAnswer:
    request = HttpRequest.model_validate({"url": url, **fields})
    return await http(request, task_context(config or HttpConfig(), Path("/nowhere")))


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# -- what is sent


async def test_a_get_gives_status_headers_and_parsed_json():
    with serving(Reply.json({"name": "Ada", "age": None}, X_Request_Id="7")) as server:
        answer = await call(server.url("/people/1"))
    assert (answer.status, answer.body, answer.body_is_base64) == (200, {"name": "Ada", "age": None}, False)
    assert answer.headers["x-request-id"] == "7"
    assert answer.url == server.url("/people/1")
    assert [(asked.method, asked.path) for asked in server.asked] == [("GET", "/people/1")]


async def test_a_json_body_is_sent_with_its_content_type():
    with serving() as server:
        await call(server.url(), method="post", json_body={"größe": [1, 2.5, None, True]})
    assert json.loads(server.asked[0].body) == {"größe": [1, 2.5, None, True]}
    assert server.asked[0].headers["Content-Type"] == "application/json"


async def test_a_form_body_repeats_a_field_for_each_element_of_a_list():
    with serving() as server:
        await call(server.url(), method="POST", form_body={"a": ["1", "2"], "b": "x y", "c": True})
    assert server.asked[0].body == b"a=1&a=2&b=x+y&c=true"
    assert server.asked[0].headers["Content-Type"] == "application/x-www-form-urlencoded"


async def test_a_multipart_body_carries_fields_and_files():
    parts = [
        {"name": "title", "text": "Report"},
        {"name": "file", "base64": base64.b64encode(b"\x00\x01").decode(), "filename": "a.bin"},
        {"name": "note", "text": "hé", "filename": "n.md", "content_type": "text/markdown"},
    ]
    with serving() as server:
        await call(server.url(), method="POST", multipart_body=parts)
    asked = server.asked[0]
    boundary = asked.headers.get_param("boundary").encode()
    sent = [part.strip(b"\r\n").split(b"\r\n\r\n") for part in asked.body.split(b"--" + boundary)[1:-1]]
    assert sent == [
        [b'Content-Disposition: form-data; name="title"', b"Report"],
        [
            b'Content-Disposition: form-data; name="file"; filename="a.bin"\r\nContent-Type: application/octet-stream',
            b"\x00\x01",
        ],
        [
            b'Content-Disposition: form-data; name="note"; filename="n.md"\r\nContent-Type: text/markdown',
            "hé".encode(),
        ],
    ]


async def test_a_text_body_and_a_base64_body_are_sent_as_they_are():
    with serving() as server:
        await call(server.url(), method="PUT", text_body="größe")
        await call(server.url(), method="PUT", base64_body="AAEC", request_headers={"content-type": "image/png"})
    assert [(asked.body, asked.headers["Content-Type"]) for asked in server.asked] == [
        ("größe".encode(), "text/plain; charset=utf-8"),
        (b"\x00\x01\x02", "image/png"),
    ]


async def test_query_parameters_join_those_of_the_url():
    with serving() as server:
        await call(server.url("/?a=1&b=2"), query_parameters={"b": ["x", "y z"], "c": 3})
    assert server.asked[0].path == "/?a=1&b=x&b=y+z&c=3"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PURGE"])
async def test_a_request_that_changes_something_carries_the_jobs_idempotency_key(method):
    with serving() as server:
        await call(server.url(), method=method)
    assert server.asked[0].method == method
    assert server.asked[0].headers["Idempotency-Key"] == "2251799813685301"


async def test_a_reading_request_carries_no_idempotency_key_and_a_tasks_own_is_kept():
    with serving() as server:
        await call(server.url())
        await call(server.url(), method="HEAD")
        await call(server.url(), method="POST", request_headers={"idempotency-key": "mine"})
    assert [asked.headers.get_all("Idempotency-Key") for asked in server.asked] == [None, None, ["mine"]]


async def test_user_name_and_password_of_the_url_are_sent_but_not_given_back():
    with serving(Reply.text("ok")) as server:
        answer = await call(f"http://ada:geheim@127.0.0.1:{server.port}/x?token=t")
    assert server.asked[0].headers["Authorization"] == "Basic " + base64.b64encode(b"ada:geheim").decode()
    assert answer.url == server.url("/x")


# -- what comes back


@pytest.mark.parametrize(
    ("reply", "body", "is_base64"),
    [
        (Reply(204), None, False),
        (Reply(200, b"", {"Content-Type": "application/json"}), None, False),
        (Reply(200, b"[1]", {"Content-Type": "application/problem+json; charset=utf-8"}), [1], False),
        (Reply(200, b"null", {"Content-Type": "application/json"}), None, False),
        (Reply(200, "größe".encode("latin-1"), {"Content-Type": "text/plain; charset=latin-1"}), "größe", False),
        (Reply(200, "größe".encode(), {"Content-Type": "text/html; charset=nonsense"}), "größe", False),
        (Reply(200, b"<a/>", {"Content-Type": "application/atom+xml"}), "<a/>", False),
        (Reply(200, b"plain"), "plain", False),
        (Reply(200, b"\xff\x00"), "/wA=", True),
        (Reply(200, b"\xff\x00", {"Content-Type": "text/plain"}), "/wA=", True),
        (Reply(200, b"abcd", {"Content-Type": "application/octet-stream"}), "YWJjZA==", True),
        (
            Reply(200, gzip.compress(b'{"a": 1}'), {"Content-Type": "application/json", "Content-Encoding": "gzip"}),
            {"a": 1},
            False,
        ),
    ],
)
async def test_a_body_becomes_json_text_or_base64(reply, body, is_base64):
    with serving(reply) as server:
        answer = await call(server.url())
    assert (answer.body, answer.body_is_base64) == (body, is_base64)


async def test_a_head_request_has_headers_but_no_body_however_large_the_body_would_be():
    with serving(Reply(200, headers={"Content-Length": "99999999", "Content-Type": "application/json"})) as server:
        answer = await call(server.url(), method="HEAD")
    assert (answer.body, answer.headers["content-length"]) == (None, "99999999")


@pytest.mark.parametrize("body", [b'{"a": ', b"NaN", b'{"a": "\xff"}', b"[" * 100_000])
async def test_a_body_that_is_called_json_but_is_not_gives_up(body):
    with (
        serving(Reply(200, body, {"Content-Type": "application/json"})) as server,
        pytest.raises(GiveUp, match="the server calls the body JSON, but it is not") as caught,
    ):
        await call(server.url("/data"))
    assert server.url("/data") in str(caught.value)
    assert '"a"' not in str(caught.value)


async def test_an_answer_that_announces_too_much_is_refused_unread():
    with (
        serving(Reply(200, b"", {"Content-Length": "1025"})) as server,
        pytest.raises(GiveUp, match=r"larger than 1024 bytes; .* tde\.http\.max_response_bytes"),
    ):
        await call(server.url(), HttpConfig(max_response_bytes=1024))


async def test_reading_stops_at_the_limit_of_an_endless_answer():
    gone = threading.Event()

    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"x" * 4096)
        except OSError:
            gone.set()

    with serving(endless) as server:
        with pytest.raises(GiveUp, match="larger than 10000 bytes"):
            await call(server.url(), HttpConfig(max_response_bytes=10_000))
        assert gone.wait(20), "the client has to hang up"


async def test_a_compressed_answer_is_measured_unpacked():
    bomb = gzip.compress(b"0" * 5_000_000)
    assert len(bomb) < 10_000
    with (
        serving(Reply(200, bomb, {"Content-Encoding": "gzip"})) as server,
        pytest.raises(GiveUp, match="larger than 10000 bytes"),
    ):
        await call(server.url(), HttpConfig(max_response_bytes=10_000))


async def test_an_answer_of_exactly_the_limit_is_taken():
    with serving(Reply.text("x" * 1000)) as server:
        answer = await call(server.url(), HttpConfig(max_response_bytes=1000))
    assert answer.body == "x" * 1000


# -- status


async def test_a_refusal_gives_up_with_status_and_the_start_of_the_text():
    with serving(Reply.text("no such\tperson\n" + "x" * 600, 404)) as server, pytest.raises(GiveUp) as caught:
        await call(server.url("/people/9?key=geheim"), request_headers={"X-Api-Key": "geheim"})
    assert str(caught.value) == (
        f"GET {server.url('/people/9')}: the server answered 404 Not Found: no such person " + "x" * 485
    )


async def test_credentials_that_a_server_echoes_are_masked():
    with (
        serving(Reply.text("bad token s3cret-token and password pass-word", 401)) as server,
        pytest.raises(GiveUp, match="check the credentials") as caught,
    ):
        await call(f"http://ada:pass-word@127.0.0.1:{server.port}/", request_headers={"X-Auth": "Bearer s3cret-token"})
    assert str(caught.value).endswith("bad token *** and password ***")


@pytest.mark.parametrize("status", [408, 425, 500, 502, 504])
async def test_a_failure_that_may_pass_is_left_to_the_runtimes_retries(status):
    with (
        serving(Reply.text("busy", status)) as server,
        pytest.raises(HttpFailed, match=rf"answered {status} .*: busy"),
    ):
        await call(server.url())
    assert len(server.asked) == 1


async def test_an_expected_status_is_no_error():
    with serving(Reply.json({"error": "none"}, 404), Reply(503)) as server:
        assert (await call(server.url(), expected_status=[200, 404])).body == {"error": "none"}
        assert (await call(server.url(), expected_status=[503])).status == 503


async def test_a_success_that_was_not_expected_gives_up():
    with (
        serving(Reply(200)) as server,
        pytest.raises(GiveUp, match=r"answered 200 OK \(not among expected_status\)"),
    ):
        await call(server.url(), expected_status=[201])


async def test_a_status_without_a_name_is_reported():
    with serving(Reply(499)) as server, pytest.raises(GiveUp, match=r"answered 499$"):
        await call(server.url())


# -- trying again


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


# -- redirects and hosts


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


# -- connections


async def test_a_refused_connection_says_so():
    port = unused_port()
    with pytest.raises(HttpFailed) as caught:
        await call(f"http://u:geheim@localhost:{port}/x?k=geheim", HttpConfig(longest_wait_seconds=0))
    assert str(caught.value) == (
        f"GET http://localhost:{port}/x: localhost:{port} refused the connection; check that the server runs, and the"
        " port"
    )


async def test_a_host_name_that_nobody_knows_says_so():
    with pytest.raises(HttpFailed, match=r"the host name in nobody\.invalid cannot be resolved; check"):
        await call("http://nobody.invalid/", HttpConfig(longest_wait_seconds=0))


async def test_a_server_that_does_not_answer_in_time_says_so():
    release = threading.Event()
    with serving(lambda handler: release.wait(30) and break_off(handler)) as server:
        with pytest.raises(HttpFailed, match=r"no complete answer within 0\.2 s; .* tde\.http\.time_limit_seconds"):
            await call(server.url(), time_limit_seconds=0.2)
        release.set()


async def test_the_settings_limit_holds_for_an_answer_that_trickles():
    def trickle(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        handler.send_response(200)
        handler.end_headers()
        stop = threading.Event()
        try:
            while not stop.wait(0.02):
                handler.wfile.write(b"x")
        except OSError:
            stop.set()

    with serving(trickle) as server, pytest.raises(HttpFailed, match=r"within 0\.3 s"):
        await call(server.url(), HttpConfig(time_limit_seconds=0.3), time_limit_seconds=9)


async def test_a_connection_that_is_not_taken_in_time_says_so():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        # TLS never begins on a socket that nobody accepts from.
        with pytest.raises(HttpFailed, match=r"within tde\.http\.connect_limit_seconds; check that it is up"):
            await call(
                f"https://127.0.0.1:{listener.getsockname()[1]}/",
                HttpConfig(connect_limit_seconds=0.2, longest_wait_seconds=0),
            )


async def test_a_certificate_of_an_unknown_authority_is_not_trusted():
    with (
        serving(tls=True) as server,
        pytest.raises(GiveUp, match=r"the certificate of 127\.0\.0\.1:\d+ is not trusted \(self.signed") as caught,
    ):
        await call(server.url())
    assert "tde.http.ca_certificate" in str(caught.value)
    assert server.asked == []


async def test_a_certificate_of_ones_own_authority_is_trusted_for_its_names_only():
    config = HttpConfig(ca_certificate=CERTIFICATE)
    with serving(Reply.text("safe"), tls=True) as server:
        assert (await call(server.url(host="localhost"), config)).body == "safe"
        with pytest.raises(GiveUp, match="is not trusted"):
            await call(server.url(host="127.1"), config)


async def test_https_to_a_port_that_speaks_http_says_so():
    with (
        serving() as server,
        pytest.raises(HttpFailed, match=r"no TLS connection to 127\.0\.0\.1:\d+ .* speaks https"),
    ):
        await call(server.url().replace("http:", "https:"))


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_a_ca_certificate_that_cannot_be_used_names_the_setting(tmp_path, content):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(GiveUp, match=r"tde\.http\.ca_certificate: .*ca\.pem cannot be used"):
        await call("https://127.0.0.1:1/", HttpConfig(ca_certificate=file))


# -- input, and secrets


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"url": "ftp://127.0.0.1/geheim"}, "the scheme 'ftp' is not one that the http TDE speaks"),
        ({"url": "127.0.0.1/geheim"}, "use http:// or https://"),
        ({"url": "http:///geheim"}, "names no host"),
        ({"url": "http://127.0.0.1/geheim\n"}, "not a URL"),
        ({"method": "GET geheim"}, "should match pattern"),
        ({"request_headers": {"X-Key": "geheim\r\nX-Other: 1"}}, "the header X-Key has a line break"),
        ({"request_headers": {"X Key": "1"}}, "'X Key' is not the name of a header"),
        ({"request_headers": {"Content-Length": "1"}}, "set from the body"),
        ({"json_body": "geheim", "text_body": "geheim"}, "one body: give one of json_body and text_body"),
        ({"base64_body": "geheim!"}, "this is not base64"),
        ({"multipart_body": [{"name": "a", "text": "geheim", "base64": ""}]}, "either as 'text' or as 'base64'"),
        ({"multipart_body": [{"name": "a"}]}, "either as 'text' or as 'base64'"),
        ({"multipart_body": []}, "at least 1 item"),
        ({"multipart_body": [{"name": "a", "text": "", "content_type": "a\r\nb: geheim"}]}, "has a line break"),
        ({"expected_status": []}, "at least 1 item"),
        ({"password": "geheim"}, "Extra inputs are not permitted"),
    ],
)
async def test_an_input_that_is_wrong_is_refused_without_showing_it(fields, message):
    with pytest.raises(ValidationError) as caught:
        HttpRequest.model_validate({"url": "http://127.0.0.1/", **fields})
    assert message in str(caught.value)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("fields", [{"json_body": ["\ud800"]}, {"text_body": "\ud800"}, {"form_body": {"a": "\ud800"}}])
async def test_half_a_character_is_refused(fields):
    with serving() as server, pytest.raises(GiveUp, match="half a character"):
        await call(server.url(), method="POST", **fields)


async def test_a_proxy_is_not_asked_for_what_runs_on_this_machine():
    with serving(Reply.text("direct")) as server:
        said = await asyncio.to_thread(_call_behind_a_proxy, [server.url(), server.url(host="localhost")])
    assert said == "direct direct"


def _call_behind_a_proxy(urls: list[str]) -> str:
    script = f"""
import asyncio
from pathlib import Path
from procos_workers.http import http
from procos_workers.http_config import HttpConfig
from procos_workers.http_request import HttpRequest
from tests.unit.workers.context import task_context
async def main():
    print(*[(await http(HttpRequest(url=url), task_context(HttpConfig(), Path("/")))).body for url in {urls!r}])
asyncio.run(main())
"""
    project = Path(__file__).parents[3]
    proxy = f"http://127.0.0.1:{unused_port()}"
    inherited = {name: value for name, value in os.environ.items() if name.lower() != "no_proxy"}
    environment = {
        **inherited,
        "PYTHONPATH": f"{project}:{project / 'workers'}",
        "ALL_PROXY": proxy,
        "http_proxy": proxy,
    }
    command = [sys.executable, "-c", script]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


async def test_no_secret_is_logged_at_any_level(caplog):
    caplog.set_level(logging.DEBUG)
    reply = Reply.json({"ok": True}, Set_Cookie="session=geheim5")
    with serving(by_path(old=redirect("/new?token=geheim4"), new=reply)) as server:
        await call(
            f"http://ada:geheim1@127.0.0.1:{server.port}/old?token=geheim2",
            method="POST",
            request_headers={"X-Key": "geheim3"},
            json_body="geheim6",
        )
    assert len(server.asked) == 2
    assert f"HTTP Request: POST {server.url('/old')} " in caplog.text
    assert "geheim" not in caplog.text


async def test_a_request_is_shown_without_what_it_carries():
    request = HttpRequest(url="http://a:geheim@h/", method="POST", request_headers={"K": "geheim"}, text_body="geheim")
    assert "POST" in repr(request)
    assert "geheim" not in repr(request)


def test_every_field_is_described():
    models = (HttpRequest, HttpAnswer, HttpConfig)
    assert [
        f"{model.__name__}.{name}"
        for model in models
        for name, field in model.model_fields.items()
        if not field.description
    ] == []
    assert http.manifest().input_schema["required"] == ["url"]
