"""A wrong input is refused before anything is sent, and no secret shows anywhere."""

import logging

import pytest
from pydantic import ValidationError

from procos.sdk import GiveUp
from procos_workers.http import http
from procos_workers.http_answer import HttpOutput
from procos_workers.http_config import HttpConfig
from procos_workers.http_request import HttpInput
from tests.unit.workers.http_caller import call
from tests.unit.workers.loopback_server import Reply, by_path, redirect, serving

pytestmark = pytest.mark.anyio


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
        HttpInput.model_validate({"url": "http://127.0.0.1/", **fields})
    assert message in str(caught.value)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("fields", [{"json_body": ["\ud800"]}, {"text_body": "\ud800"}, {"form_body": {"a": "\ud800"}}])
async def test_half_a_character_is_refused(fields):
    with serving() as server, pytest.raises(GiveUp, match="half a character"):
        await call(server.url(), method="POST", **fields)


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
    request = HttpInput(url="http://a:geheim@h/", method="POST", request_headers={"K": "geheim"}, text_body="geheim")
    assert "POST" in repr(request)
    assert "geheim" not in repr(request)


def test_every_field_is_described():
    models = (HttpInput, HttpOutput, HttpConfig)
    assert [
        f"{model.__name__}.{name}"
        for model in models
        for name, field in model.model_fields.items()
        if not field.description
    ] == []
    assert http.manifest().input_schema["required"] == ["url"]
