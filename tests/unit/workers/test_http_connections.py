"""What the http TDE says when there is no connection, no trust, or no answer in time."""

import asyncio
import socket
import threading
from http.server import BaseHTTPRequestHandler

import pytest

from procos.sdk import GiveUp
from procos_workers.http_config import HttpConfig
from procos_workers.http_failure import HttpFailed
from tests.unit.workers.fresh_python import run_script
from tests.unit.workers.http_caller import call, unused_port
from tests.unit.workers.loopback_server import CERTIFICATE, Reply, break_off, serving

pytestmark = pytest.mark.anyio


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


async def test_a_proxy_is_not_asked_for_what_runs_on_this_machine():
    proxy = f"http://127.0.0.1:{unused_port()}"
    with serving(Reply.text("direct")) as server:
        urls = [server.url(), server.url(host="localhost")]
        said = await asyncio.to_thread(
            run_script, _CALLS.format(urls=urls), ALL_PROXY=proxy, http_proxy=proxy, no_proxy="", NO_PROXY=""
        )
    assert said == "direct direct\n"


async def test_a_proxy_that_is_not_there_says_so():
    script = _CALLS.format(urls=["http://nobody.invalid/"])
    said = await asyncio.to_thread(
        run_script, script, http_proxy=f"http://127.0.0.1:{unused_port()}", no_proxy="", NO_PROXY=""
    )
    assert said.startswith("GET http://nobody.invalid/: ")
    assert "refused the connection" in said
    assert "the worker's environment names a proxy" in said


_CALLS = """
import asyncio
from pathlib import Path
from procos_workers.http import http
from procos_workers.http_config import HttpConfig
from procos_workers.http_request import HttpInput
from tests.unit.workers.context import task_context

async def main():
    config = HttpConfig(longest_wait_seconds=0)
    try:
        print(*[(await http(HttpInput(url=url), task_context(config, Path("/")))).body for url in {urls!r}])
    except Exception as error:
        print(error)

asyncio.run(main())
"""
