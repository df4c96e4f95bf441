"""The TDE `http`: calls an HTTP API and gives its answer to the process."""

import asyncio
import functools
import ssl
import time
from datetime import timedelta
from pathlib import Path

import httpx

from procos.sdk import GiveUp, TaskContext, tde
from procos_workers.http_answer import HttpOutput, decode, is_expected, judge, read
from procos_workers.http_config import HttpConfig
from procos_workers.http_failure import LOOPBACK_HOSTS, HttpFailed, explain
from procos_workers.http_hops import Hops, keep_secrets_out_of_logs, public
from procos_workers.http_request import HttpInput
from procos_workers.repetition import repeated

# Three requests of 240 s and 120 s of waiting, the most that the settings allow, end within this.
_TIME_LIMIT = timedelta(minutes=15)


@tde(
    "http",
    description="Calls an HTTP API: sends JSON, a form, files, text or bytes with any method, gives back the answer",
    config=HttpConfig,
    secrets=("*",),
    time_limit=_TIME_LIMIT,
    examples=(
        "Fetch the exchange rates from the web service",
        "Send the order to the REST API of the warehouse",
        "Download the page at that address",
    ),
)
async def http(request: HttpInput, context: TaskContext[HttpConfig]) -> HttpOutput:
    """Sends a request, and again where the server says "not now" and the wait is short.

    Errors name method, scheme, host, path and status, never headers, bodies, queries or credentials.

    Raises:
        GiveUp: the server refuses (4xx, a redirect that is not followed, a status that was not expected), its answer is
            too large or not what it says, its certificate is not trusted, or the settings do not allow the host.
        RetryLater: the server asks for a longer wait than `longest_wait_seconds`; no slot is held meanwhile.
        HttpFailed: anything that may pass: 408, 425, 429, 5xx, no connection, no answer in time.
    """
    keep_secrets_out_of_logs()
    longest_wait = timedelta(seconds=context.config.longest_wait_seconds)
    return await repeated(lambda: _send(request, context), longest_wait=longest_wait)


async def _send(request: HttpInput, context: TaskContext[HttpConfig]) -> HttpOutput:
    config = context.config
    hops = Hops(config, method=request.method, url=request.url)
    limit = min(config.time_limit_seconds, request.time_limit_seconds or config.time_limit_seconds)
    try:
        async with asyncio.timeout(limit), _open_client(config, hops) as client:
            prepared = request.prepare(client, idempotency_key=context.idempotency_key)
            return await _exchange(client, prepared, request, config, hops)
    except TimeoutError:
        raise HttpFailed(
            f"{hops.where}: no complete answer within {limit:g} s; check why {hops.host} is slow, or raise"
            " tde.http.time_limit_seconds"
        ) from None
    except UnicodeEncodeError:
        raise GiveUp(
            f"{hops.where}: the request has half a character (a lone surrogate), which UTF-8 cannot hold; mend it where"
            " it comes from"
        ) from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise explain(error, where=hops.where, method=request.method, host=hops.host) from None


async def _exchange(
    client: httpx.AsyncClient, prepared: httpx.Request, request: HttpInput, config: HttpConfig, hops: Hops
) -> HttpOutput:
    started = time.monotonic()
    follow = config.follow_redirects and request.follow_redirects
    response = await client.send(prepared, stream=True, follow_redirects=follow)
    try:
        if not is_expected(response, request.expected_status):
            raise await judge(response, where=hops.where, masked=request.credentials())
        content = await read(response, limit=config.max_response_bytes, where=hops.where)
    finally:
        await response.aclose()
    body, is_base64 = decode(response, content, where=hops.where)
    return HttpOutput(
        status=response.status_code,
        headers=dict(response.headers.items()),
        body=body,
        body_is_base64=is_base64,
        url=public(response.url),
        elapsed_ms=round((time.monotonic() - started) * 1000),
    )


def _open_client(config: HttpConfig, hops: Hops) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        verify=_trust_of(config.ca_certificate),
        timeout=httpx.Timeout(None, connect=config.connect_limit_seconds),
        max_redirects=config.max_redirects,
        event_hooks={"request": [hops.enter]},
        mounts={f"all://{host}": None for host in LOOPBACK_HOSTS},
        headers={"User-Agent": "ProcOS", "Accept-Encoding": "gzip, deflate"},
    )


def _trust_of(ca_certificate: Path | None) -> ssl.SSLContext:
    if ca_certificate is None:
        return _trust(None, 0)
    try:
        return _trust(ca_certificate, ca_certificate.stat().st_mtime_ns)
    except (OSError, ssl.SSLError) as error:
        raise GiveUp(
            f"tde.http.ca_certificate: {ca_certificate} cannot be used ({error.strerror or type(error).__name__}):"
            " give a readable file with certificates in PEM form"
        ) from None


@functools.lru_cache(maxsize=4)
def _trust(ca_certificate: Path | None, _changed_ns: int) -> ssl.SSLContext:
    # Cached, because reading all the authorities takes longer than many a request; a file that changed is read again.
    context = httpx.create_ssl_context()
    if ca_certificate is not None:
        context.load_verify_locations(cafile=ca_certificate)
    return context
