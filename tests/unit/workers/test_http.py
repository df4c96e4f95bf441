"""What the http TDE sends to a real server, and what it gives back."""

import base64
import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler

import pytest

from procos.sdk import GiveUp
from procos_workers.http_config import HttpConfig
from procos_workers.http_failure import HttpFailed
from tests.unit.workers.http_caller import call
from tests.unit.workers.loopback_server import Reply, serving

pytestmark = pytest.mark.anyio


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
