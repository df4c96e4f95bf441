"""What the email TDE takes as input and as settings, and what it refuses before anything is sent."""

import pytest
from pydantic import ValidationError

from procos_workers.email_config import SECRETS, EmailConfig
from procos_workers.email_task import EmailInput
from procos_workers.send_email import email

MAIL = {"to": "ada@example.org", "subject": "s", "text": "t"}


def test_the_tde_is_registered_under_its_job_type_with_its_secrets():
    assert (email.name, email.job_type, email.secrets) == ("email", "tde.email", SECRETS)
    assert email.variable_names == tuple(EmailInput.model_fields)
    email.manifest()


@pytest.mark.parametrize("sign", ["\n", "\r", "\r\n", "\x0b", "\x0c", "\0", "\x85", "\u2028", "\x7f"])
@pytest.mark.parametrize("field", ["to", "cc", "bcc", "reply_to", "subject"])
def test_nothing_that_could_begin_a_header_gets_in(field, sign):
    text = "Ada{sign}Bcc: eve@evil.example{sign} <ada@example.org>" if field != "subject" else "Hi{sign}Bcc: eve@evil"
    with pytest.raises(ValidationError, match=r"line break|character U\+"):
        EmailInput.model_validate(MAIL | {field: text.format(sign=sign)})


def test_an_encoded_line_break_does_not_get_in():
    for field, text in (("subject", "=?utf-8?q?Hi=0ABcc:_eve?="), ("to", "=?utf-8?q?A=0AB?= <ada@example.org>")):
        with pytest.raises(ValidationError, match="encoded word"):
            EmailInput.model_validate(MAIL | {field: text})


@pytest.mark.parametrize("name", ["a\nb.txt", "../a.txt", "c:\\a.txt", "", "=?utf-8?q?a?=.txt", "x" * 201])
def test_a_filename_is_one_line_without_folders(name):
    with pytest.raises(ValidationError, match="filename"):
        EmailInput.model_validate(MAIL | {"attachments": [{"filename": name, "text": "t"}]})


@pytest.mark.parametrize(
    "kind", ["text", "text/plain; charset=x", "a/b\nX: y", "multipart/mixed", "message/rfc822", ""]
)
def test_a_media_type_has_two_parts_and_is_no_container(kind):
    with pytest.raises(ValidationError, match="media_type"):
        EmailInput.model_validate(MAIL | {"attachments": [{"filename": "a", "text": "t", "media_type": kind}]})


@pytest.mark.parametrize(
    "address",
    ["", "ada", "ada@", "@example.org", "a b@example.org", "a@b@c", "a@exa mple.org", "a@-x.org", "ada@x..org",
     "a@x.org, b@x.org", "Ada <ada@x.org", "ada@x.org>", "<>", "ä@x.org", f"{'a' * 65}@x.org", f"a@{'b.' * 130}org",
     "a..b@x.org", "ada@[127.0.0.1]", "<a@x.org> <b@x.org>"],
)  # fmt: skip
def test_what_is_no_address_is_refused(address):
    with pytest.raises(ValidationError, match=r"is not a mail address|characters"):
        EmailInput.model_validate(MAIL | {"to": [address]})


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("ada@example.org", "ada@example.org"),
        (" Ada <ada@example.org> ", "ada@example.org"),
        ('"Lovelace, Ada" <ada+x@sub.example.org>', "ada+x@sub.example.org"),
        ("root@localhost", "root@localhost"),
        ("a@BÜCHER.example", "a@xn--bcher-kva.example"),
    ],
)
def test_what_is_an_address_is_taken(text, address):
    assert EmailInput.model_validate(MAIL | {"to": text}).recipients() == [address]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"to": []}, "needs a recipient"),
        ({"to": None}, "needs a recipient"),
        ({"text": None}, "needs a body"),
        ({"to": 7}, "list"),
        ({"to": [7]}, "string"),
        ({"subject": None}, "string"),
        ({"subject": "x" * 901}, "900"),
        ({"text": "\ud83d"}, "half a character"),
        ({"html": "\ud83d"}, "half a character"),
        ({"subject": "\ud83d"}, "unicode"),
        ({"attachments": [{"filename": "a", "text": "\ud83d"}]}, "half a character"),
        ({"attachments": [{"filename": "a"}]}, "either as 'text' or as 'base64'"),
        ({"attachments": [{"filename": "a", "text": "t", "base64": "AA=="}]}, "either as 'text' or as 'base64'"),
        ({"attachments": [{"filename": "a", "base64": "?"}]}, "not base64"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_a_reason(change, message):
    with pytest.raises(ValidationError, match=message):
        EmailInput.model_validate(MAIL | change)


def test_an_empty_subject_and_an_empty_text_are_a_mail():
    EmailInput.model_validate(MAIL | {"subject": "", "text": ""})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"user": "office"}, "both user and password_secret"),
        ({"password_secret": "EMAIL_PASSWORD"}, "both user and password_secret"),
        ({"user": "u", "password_secret": "EMAIL_P", "security": "none", "host": "mail.example.org"}, "without TLS"),
        ({"user": "u", "password_secret": "API_TOKEN"}, "begin with EMAIL_"),
        ({"from_address": "office"}, "not a mail address"),
        ({"allow_recipients": ["a b"]}, "not a pattern"),
        ({"security": "ssl"}, "starttls"),
        ({"port": 70000}, "65535"),
        ({"sever": "x"}, "sever"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_boot(settings, message):
    with pytest.raises(ValidationError, match=message):
        EmailConfig.model_validate(settings)
