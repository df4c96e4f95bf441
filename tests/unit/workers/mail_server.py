"""A real SMTP server on loopback, which takes mails or refuses them as the test says."""

# ruff: noqa: ARG002 - the methods have the arguments that aiosmtpd gives
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from tests.unit.workers.http_caller import unused_port
from tests.unit.workers.loopback_server import CERTIFICATE, KEY


@dataclass(frozen=True)
class Received:
    """One mail as it came in."""

    sender: str
    recipients: list[str]
    content: bytes
    was_encrypted: bool
    user: str | None

    @property
    def message(self) -> EmailMessage:
        parsed = message_from_bytes(self.content, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed


@dataclass
class MailServer:
    """Takes every mail, but refuses recipients, senders and contents with the answers given here."""

    refused_recipients: dict[str, str] = field(default_factory=dict)
    refused_sender: str | None = None
    refused_content: str | None = None
    passwords: dict[str, str] = field(default_factory=dict)
    refused_login: str = "535 5.7.8 wrong"
    received: list[Received] = field(default_factory=list)
    port: int = 0

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.refused_sender:
            return self.refused_sender
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused_recipients:
            return self.refused_recipients[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.refused_content:
            return self.refused_content
        content = envelope.content
        assert isinstance(content, bytes)
        encrypted = session.ssl is not None or server.transport.get_extra_info("ssl_object") is not None
        user = session.auth_data.login.decode() if session.auth_data else None
        self.received.append(Received(str(envelope.mail_from), list(envelope.rcpt_tos), content, encrypted, user))
        return "250 OK"

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        if self.passwords.get(data.login.decode()) == data.password.decode():
            return AuthResult(success=True, auth_data=data)
        return AuthResult(success=False, handled=False, message=self.refused_login)


@contextmanager
def taking_mail(server: MailServer | None = None, *, security: str = "none") -> Iterator[MailServer]:
    """Runs the server with the security that a client is to use."""
    server = server or MailServer()
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trust.load_cert_chain(CERTIFICATE, KEY)
    options: dict[str, Any] = {"hostname": "127.0.0.1", "server_hostname": "mail.test"}
    if security == "tls":
        options["ssl_context"] = trust
    if security == "starttls":
        options |= {"tls_context": trust, "require_starttls": True}
    if server.passwords:
        options |= {
            "authenticator": server.authenticate,
            "auth_required": True,
            "auth_require_tls": security == "starttls",
        }
    server.port = unused_port()
    controller = Controller(server, port=server.port, **options)
    controller.start()
    try:
        yield server
    finally:
        controller.stop()


@contextmanager
def scripted(*answers: bytes) -> Iterator[int]:
    """A server that only says these lines, one for each line that it hears, and hangs up after the last; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def play() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as lines:
            for answer in answers:
                connection.sendall(answer)
                lines.readline()

    thread = threading.Thread(target=play)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        thread.join()
        listener.close()
