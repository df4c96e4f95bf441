"""What the email TDE says when a mail cannot be sent, and whether it is worth another try."""

import socket

import pytest

from procos.sdk import GiveUp
from procos_workers.email_failure import EmailFailed
from tests.unit.workers.email_sender import SECRETS, Job, send
from tests.unit.workers.http_caller import unused_port
from tests.unit.workers.loopback_server import CERTIFICATE
from tests.unit.workers.mail_server import MailServer, scripted, taking_mail

# The test's server says so when it takes a login without TLS, or over TLS from the start.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")

LOGIN = {"user": "office", "password_secret": "EMAIL_PASSWORD"}
PASSWORDS = {"office": SECRETS["EMAIL_PASSWORD"]}
TRUSTED = {"ca_certificate": CERTIFICATE}


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_mail_goes_encrypted_and_logged_in(security):
    with taking_mail(MailServer(passwords=PASSWORDS), security=security) as server:
        send(server, {"security": security, **LOGIN, **TRUSTED})
    assert (server.received[0].was_encrypted, server.received[0].user) == (True, "office")


def test_a_server_on_this_machine_may_be_logged_in_to_without_tls():
    with taking_mail(MailServer(passwords=PASSWORDS)) as server:
        send(server, LOGIN)
    assert (server.received[0].was_encrypted, server.received[0].user) == (False, "office")


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_certificate_that_is_not_trusted_gives_up_with_a_hint(security):
    with taking_mail(security=security) as server:
        with pytest.raises(GiveUp, match=r"not trusted \(self-signed certificate\).*tde\.email\.ca_certificate"):
            send(server, {"security": security})
        assert server.received == []


def test_a_certificate_for_another_name_gives_up():
    with taking_mail(security="tls") as server, pytest.raises(GiveUp, match=r"not trusted .*Hostname mismatch"):
        send(server, {"security": "tls", "host": "127.1", **TRUSTED})


def test_a_server_without_starttls_gets_no_mail_and_no_password():
    with taking_mail() as server:
        with pytest.raises(GiveUp, match=r"offers no STARTTLS.*tde\.email\.security"):
            send(server, {"security": "starttls", **LOGIN})
        assert server.received == []


def test_tls_on_a_port_that_speaks_none_says_so():
    with taking_mail() as server, pytest.raises(EmailFailed, match=r"no TLS connection .*587 for starttls"):
        send(server, {"security": "tls"})


def test_a_wrong_password_gives_up_and_is_not_shown():
    with (
        taking_mail(MailServer(passwords={"office": "another"})) as server,
        pytest.raises(GiveUp, match=r"refused the login: 535 5\.7\.8 wrong; check tde\.email\.user") as caught,
    ):
        send(server, LOGIN)
    assert SECRETS["EMAIL_PASSWORD"] not in str(caught.value)


def test_a_login_that_is_refused_for_now_is_tried_again():
    server = MailServer(passwords={"office": "another"}, refused_login="454 4.7.0 directory is down")
    with taking_mail(server), pytest.raises(EmailFailed, match="454"):
        send(server, LOGIN)


def test_a_server_that_knows_no_login_gives_up():
    with taking_mail() as server, pytest.raises(GiveUp, match="offers no login"):
        send(server, LOGIN)


def test_a_secret_that_is_not_there_gives_up():
    with taking_mail() as server, pytest.raises(GiveUp, match="EMAIL_OTHER"):
        send(server, {"user": "office", "password_secret": "EMAIL_OTHER"})


@pytest.mark.parametrize(
    ("server", "outcome", "message"),
    [
        (MailServer(refused_sender="550 5.7.1 not yours"), GiveUp, r"refused the sender: 550 .*tde\.email\.from_addr"),
        (MailServer(refused_sender="451 busy"), EmailFailed, "refused the sender: 451 busy"),
        (MailServer(refused_content="554 5.7.1 spam"), GiveUp, r"refused the mail itself: 554 5\.7\.1 spam"),
        (MailServer(refused_content="452 disk full"), EmailFailed, "refused the mail itself: 452 disk full"),
        (MailServer({"ada@example.org": "550 unknown"}), GiveUp, r"refused every recipient: ada@example.org \(550"),
        (MailServer({"ada@example.org": "421 bye"}), EmailFailed, "refused the recipients: 421 bye"),
        (MailServer({"ada@example.org": "450 grey"}), EmailFailed, "sent to nobody yet; refused for now: ada@"),
    ],
)
def test_a_refusal_for_good_gives_up_and_one_for_now_is_tried_again(server, outcome, message):
    with taking_mail(server):
        with pytest.raises(outcome, match=message):
            send(server)
        assert server.received == []


def test_a_server_that_is_not_there_is_tried_again():
    with pytest.raises(EmailFailed, match=r"refused the connection; check that it runs, and tde\.email\.port"):
        send(None, {"port": unused_port()})


def test_a_host_name_that_cannot_be_resolved_is_tried_again():
    with pytest.raises(EmailFailed, match=r"cannot be resolved; check tde\.email\.host"):
        send(None, {"host": "mail.invalid", "port": 25})


def test_a_server_that_says_nothing_is_tried_again():
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(EmailFailed, match=r"no answer at the connection within tde\.email\.answer_limit_seconds"),
    ):
        send(None, {"port": silent.getsockname()[1], "answer_limit_seconds": 0.2})


def test_a_server_that_is_full_at_the_greeting_is_tried_again():
    with scripted(b"421 too many connections\r\n") as port, pytest.raises(EmailFailed, match="421 too many"):
        send(None, {"port": port})


def test_a_server_that_wants_nobody_at_the_greeting_gives_up():
    with scripted(b"554 go away\r\n") as port, pytest.raises(GiveUp, match="554 go away"):
        send(None, {"port": port})


def test_a_connection_that_breaks_after_the_mail_is_tried_again():
    words = (b"220 hi\r\n", b"250 hi\r\n", b"250 sender\r\n", b"250 recipient\r\n", b"354 go on\r\n")
    with scripted(*words) as port, pytest.raises(EmailFailed, match="closed the connection at the mail itself"):
        send(None, {"port": port})


def test_control_characters_in_the_servers_words_do_not_reach_the_message():
    words = (b"220 hi\r\n", b"250 hi\r\n", b"550 \x1b[31mr\xc3\xa9d\x07\xff" + b"x" * 400 + b"\r\n")
    with scripted(*words) as port, pytest.raises(GiveUp, match="550") as caught:
        send(None, {"port": port})
    assert str(caught.value).isprintable()
    assert "réd" in str(caught.value)
    assert len(str(caught.value)) < 600


def test_without_settings_it_says_what_to_set():
    with pytest.raises(GiveUp, match=r"set tde\.email\.host and tde\.email\.from_address"):
        send(None, {"host": ""})
    with pytest.raises(GiveUp, match=r"tde\.email\.from_address"):
        send(None, {"from_address": None})


def test_a_recipient_that_is_not_allowed_keeps_the_mail_from_everybody():
    with taking_mail() as server:
        with pytest.raises(GiveUp, match=r"eve@evil\.example: not among those .* tde\.email\.allow_recipients"):
            send(server, {"allow_recipients": ["*@Example.org"]}, to="Ada@example.ORG", bcc="eve@evil.example")
        send(server, {"allow_recipients": ["*@Example.org"]}, to="Ada@example.ORG")
    assert [mail.recipients for mail in server.received] == [["Ada@example.ORG"]]


def test_too_many_recipients_and_too_large_attachments_give_up():
    with pytest.raises(GiveUp, match=r"2 recipients, and tde\.email\.max_recipients allows 1"):
        send(None, {"max_recipients": 1}, cc="b@example.org")
    files = [{"filename": "a.txt", "text": "äö"}, {"filename": "b.txt", "base64": "AAAAAA=="}]
    with pytest.raises(GiveUp, match=r"have 8 bytes together, and tde\.email\.max_attachment_bytes allows 7"):
        send(None, {"max_attachment_bytes": 7}, attachments=files)


def test_the_servers_password_is_never_mailed():
    password = SECRETS["EMAIL_PASSWORD"]
    with taking_mail(MailServer(passwords=PASSWORDS)) as server:
        for mail in ({"text": f"it is {password}"}, {"attachments": [{"filename": "a.txt", "text": password}]}):
            with pytest.raises(GiveUp, match="holds the password of the mail server"):
                send(server, LOGIN, **mail)
        assert server.received == []


def test_a_ca_certificate_that_cannot_be_read_gives_up(tmp_path):
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    for file in (tmp_path / "none.pem", broken):
        with pytest.raises(GiveUp, match=r"tde\.email\.ca_certificate: .* give a readable file"):
            send(None, {"security": "tls", "ca_certificate": file})


def test_the_port_follows_the_security_unless_it_is_given():
    ports = [Job(None, security=security).config.server_port for security in ("none", "starttls", "tls")]
    assert ports == [25, 587, 465]
    assert Job(None, security="tls", port=2465).config.server_port == 2465
