"""What the email TDE sends to a real server, and what it gives back."""

import base64
import re
from email import message_from_bytes
from email.header import decode_header, make_header
from email.utils import getaddresses

import pytest

from procos.sdk import GiveUp
from procos_workers.email_failure import EmailFailed
from tests.unit.workers.email_sender import Job, send
from tests.unit.workers.mail_server import MailServer, taking_mail


def test_a_mail_reaches_the_server_with_its_headers_and_text():
    with taking_mail() as server:
        answer = send(server, to="Ada Lovelace <ada@example.org>", subject="Grüße", text="Schöne Grüße\n")
    mail = server.received[0]
    assert (mail.sender, mail.recipients) == ("office@procos.test", ["ada@example.org"])
    assert mail.message["From"] == "Office <office@procos.test>"
    assert mail.message["To"] == "Ada Lovelace <ada@example.org>"
    assert mail.message["Subject"] == "Grüße"
    assert mail.message["Message-ID"] == answer.message_id
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert mail.message["Date"].datetime is not None
    assert mail.message.get_content().strip() == "Schöne Grüße"
    assert (answer.accepted, answer.refused) == (["ada@example.org"], [])


def test_everything_goes_over_the_wire_in_seven_bits():
    with taking_mail() as server:
        send(server, to="Zoë <z@example.org>", subject="ü", text="ü" * 2000, html="<p>ü</p>")
    assert server.received[0].content.isascii()


def test_copies_are_sent_and_secret_ones_are_named_nowhere():
    with taking_mail() as server:
        answer = send(
            server,
            to=["a@example.org", "b@example.org"],
            cc="c@example.org",
            bcc=["d@example.org"],
            reply_to="desk@example.org",
        )
    mail = server.received[0]
    assert mail.recipients == answer.accepted == ["a@example.org", "b@example.org", "c@example.org", "d@example.org"]
    assert mail.message["To"] == "a@example.org, b@example.org"
    assert (mail.message["Cc"], mail.message["Reply-To"]) == ("c@example.org", "desk@example.org")
    assert b"d@example.org" not in mail.content


def test_a_mail_to_secret_recipients_only_says_that_they_are_undisclosed():
    with taking_mail() as server:
        send(server, to=None, bcc="d@example.org")
    assert server.received[0].message["To"] == "undisclosed-recipients:;"


def test_long_names_with_every_kind_of_sign_leave_the_addresses_as_they_are():
    names = ['"Lovelace, Ada"', "Zoë " * 40, 'Müller, "Hans" (Büro); @home: ' * 5, "日本" * 60, 'a "b" \\ c']
    with taking_mail() as server:
        send(server, to=[f"{name} <n{number}@example.org>" for number, name in enumerate(names)], subject="日本" * 200)
    received = server.received[0]
    found = getaddresses([message_from_bytes(received.content)["To"]])
    assert [address for _, address in found] == [f"n{number}@example.org" for number in range(len(names))]
    assert str(make_header(decode_header(found[3][0]))) == names[3]
    assert received.message["Subject"] == "日本" * 200
    assert max(len(line) for line in received.content.splitlines()) <= 998


def test_an_address_that_is_given_twice_gets_the_mail_once():
    with taking_mail() as server:
        send(server, to=["ada@example.org", "Ada <ADA@example.org>"], cc="ada@example.org")
    assert [address.lower() for address in server.received[0].recipients] == ["ada@example.org"]


def test_a_domain_with_an_umlaut_is_written_in_ascii():
    with taking_mail() as server:
        send(server, to="ada@bücher.example")
    assert server.received[0].recipients == ["ada@xn--bcher-kva.example"]


def test_text_and_html_are_alternatives():
    with taking_mail() as server:
        send(server, text="plain", html="<b>rich</b>")
    message = server.received[0].message
    assert message.get_content_type() == "multipart/alternative"
    assert [(part.get_content_type(), part.get_content().strip()) for part in message.iter_parts()] == [
        ("text/plain", "plain"),
        ("text/html", "<b>rich</b>"),
    ]


def test_html_alone_is_the_whole_mail():
    with taking_mail() as server:
        send(server, text=None, html="<b>rich</b>")
    assert server.received[0].message.get_content_type() == "text/html"


def test_attachments_arrive_as_they_were_given():
    files = [
        {"filename": "résumé.csv", "text": "größe;1\n"},
        {"filename": "a.bin", "base64": base64.b64encode(b"\x00\xff").decode()},
        {"filename": "b.xyz", "text": "{}", "media_type": "Application/JSON"},
        {"filename": "archive.tar.gz", "base64": "AA=="},
    ]
    with taking_mail() as server:
        send(server, attachments=files)
    parts = list(server.received[0].message.iter_attachments())
    assert [(part.get_filename(), part.get_content_type(), part.get_payload(decode=True)) for part in parts] == [
        ("résumé.csv", "text/csv", "größe;1\n".encode()),
        ("a.bin", "application/octet-stream", b"\x00\xff"),
        ("b.xyz", "application/json", b"{}"),
        ("archive.tar.gz", "application/octet-stream", b"\x00"),
    ]
    assert parts[0].get_content_charset() == "utf-8"


def test_a_line_with_a_single_dot_and_very_long_lines_survive():
    text = "one\n.\n..two\n" + "x" * 5000 + "\nlast\n"
    with taking_mail() as server:
        send(server, text=text)
    assert server.received[0].message.get_content().splitlines() == text.splitlines()


def test_a_repeated_job_sends_under_the_same_message_id_and_another_mail_under_another():
    with taking_mail() as server:
        job = Job(server)
        first, other = job.attempt(), job.attempt(subject="Changed")
        again = Job(server).attempt()
    assert first.message_id == again.message_id != other.message_id
    assert re.fullmatch(r"<2251799813685301\.[0-9a-f]{32}@procos\.test>", first.message_id)


def test_the_same_job_key_of_another_engine_does_not_make_the_same_message_id():
    with taking_mail() as server:
        assert send(server, to="a@example.org").message_id != send(server, to="b@example.org").message_id


def test_a_recipient_that_is_refused_does_not_keep_the_mail_from_the_others():
    with taking_mail(MailServer({"bo@example.org": "550 5.1.1 no such person"})) as server:
        answer = send(server, to=["ada@example.org", "bo@example.org"])
    assert server.received[0].recipients == answer.accepted == ["ada@example.org"]
    assert [refusal.model_dump() for refusal in answer.refused] == [
        {"address": "bo@example.org", "code": 550, "reason": "5.1.1 no such person"}
    ]


def test_all_or_none_sends_to_nobody_if_one_is_refused():
    with taking_mail(MailServer({"bo@example.org": "550 no such person"})) as server:
        with pytest.raises(GiveUp, match=r"nothing was sent, since .* bo@example.org \(550 no such person\)"):
            send(server, to=["ada@example.org", "bo@example.org"], all_or_none=True)
        assert server.received == []


def test_all_or_none_tries_again_if_the_refusal_is_for_now():
    with taking_mail(MailServer({"bo@example.org": "451 later"})) as server:
        with pytest.raises(EmailFailed, match="nothing was sent"):
            send(server, to=["ada@example.org", "bo@example.org"], all_or_none=True)
        assert server.received == []


def test_whoever_is_refused_for_now_gets_the_mail_at_the_next_attempt_alone():
    refusals = {"bo@example.org": "451 4.7.1 greylisted", "cy@example.org": "550 unknown"}
    with taking_mail(MailServer(refusals)) as server:
        job = Job(server)
        to = ["ada@example.org", "bo@example.org", "cy@example.org"]
        with pytest.raises(EmailFailed, match=r"sent to ada@example.org; refused for now: bo@example.org \(451"):
            job.attempt(to=to)
        del server.refused_recipients["bo@example.org"]
        answer = job.attempt(to=to)
    assert [mail.recipients for mail in server.received] == [["ada@example.org"], ["bo@example.org"]]
    assert len({mail.message["Message-ID"] for mail in server.received}) == 1
    assert answer.accepted == ["ada@example.org", "bo@example.org"]
    assert [refusal.address for refusal in answer.refused] == ["cy@example.org"]


def test_a_job_whose_mail_is_out_sends_nothing_again():
    with taking_mail() as server:
        job = Job(server)
        first = job.attempt()
        assert job.attempt() == first
    assert len(server.received) == 1


def test_a_mail_that_was_changed_since_is_sent_to_everybody_again():
    with taking_mail() as server:
        job = Job(server)
        job.attempt()
        job.attempt(text="corrected")
    assert len(server.received) == 2


def test_a_job_that_is_gone_sends_nothing():
    with taking_mail() as server:
        job = Job(server)
        job.is_cancelled = True
        with pytest.raises(EmailFailed, match="the job is gone"):
            job.attempt()
        assert server.received == []
