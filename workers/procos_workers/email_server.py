"""One conversation with an SMTP server, step by step, so that each refusal is known with the server's own words.

Source: RFC 5321. smtplib's own `send_message` hides what this needs: it sends to whoever was accepted without asking,
and its errors do not say at which step the server refused.
"""

import smtplib
import ssl
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from procos.sdk import GiveUp
from procos_workers.email_config import EmailConfig
from procos_workers.email_failure import explain, read, refused

_OK = 250
_WILL_FORWARD = 251
_DELAYED_DELIVERY = 252  # "cannot verify, but will accept"
_GREETING = 220
_CLOSING = 421


@dataclass
class Answers:
    """What the server said to each recipient."""

    accepted: list[str] = field(default_factory=list)
    refused: dict[str, tuple[int, str]] = field(default_factory=dict)


class MailServer:
    """An open, logged-in connection; `step` is what was asked of the server last."""

    def __init__(self, connection: smtplib.SMTP, *, where: str) -> None:
        self._connection = connection
        self._where = where
        self.step = "the greeting"

    def log_in(self, user: str, password: str) -> None:
        """Logs in."""
        self.step = "the login"
        try:
            self._connection.login(user, password)
        except UnicodeEncodeError:
            raise GiveUp(f"{self._where}: user name or password is not ASCII, which this login cannot send") from None

    def offer(self, sender: str, recipients: Iterable[str]) -> Answers:
        """Says whom a mail is from and for.

        Raises:
            GiveUp, EmailFailed: the server does not take mails from this sender.
        """
        self.step = "the sender"
        self._expect(self._connection.mail(sender), {_OK})
        self.step = "the recipients"
        answers = Answers()
        for address in recipients:
            code, words = self._connection.rcpt(address)
            if code == _CLOSING:
                raise refused(self.step, code, words, where=self._where)
            if code in {_OK, _WILL_FORWARD, _DELAYED_DELIVERY}:
                answers.accepted.append(address)
            else:
                answers.refused[address] = (code, read(words))
        return answers

    def deliver(self, message: bytes) -> None:
        """Sends the mail to those who were accepted.

        Raises:
            GiveUp, EmailFailed: the server does not take it.
        """
        self.step = "the mail itself"
        self._expect(self._connection.data(message), {_OK})

    def withdraw(self) -> None:
        """Takes the offer back: nobody gets anything."""
        self.step = "RSET"
        self._connection.rset()

    def _expect(self, answer: tuple[int, bytes], codes: set[int]) -> None:
        if answer[0] not in codes:
            raise refused(self.step, *answer, where=self._where)


@contextmanager
def connect(config: EmailConfig, *, where: str, password: str | None) -> Iterator[MailServer]:
    """A server that is connected to, encrypted and logged in as the settings say.

    Raises:
        GiveUp: what a person has to mend: login, certificate, settings, a refusal for good.
        EmailFailed: what may pass: the connection, a refusal for now.
    """
    step = "the connection"
    server: MailServer | None = None
    trust = _trust(config) if config.security != "none" else None
    try:
        with closing(_open(config, trust)) as connection:
            server = MailServer(connection, where=where)
            _greet(server, connection, config, trust)
            if config.user is not None:
                server.log_in(config.user, password or "")
            yield server
            _say_goodbye(connection)
    except OSError as error:
        raise explain(error, step=server.step if server else step, where=where) from None


def _open(config: EmailConfig, trust: ssl.SSLContext | None) -> smtplib.SMTP:
    limit = config.answer_limit_seconds
    if config.security == "tls":
        return smtplib.SMTP_SSL(config.host, config.server_port, timeout=limit, context=trust)
    return smtplib.SMTP(config.host, config.server_port, timeout=limit)


def _greet(server: MailServer, connection: smtplib.SMTP, config: EmailConfig, trust: ssl.SSLContext | None) -> None:
    connection.ehlo_or_helo_if_needed()
    if config.security == "starttls":
        server.step = "STARTTLS"
        code, words = connection.starttls(context=trust)
        if code != _GREETING:
            raise smtplib.SMTPResponseException(code, words)
        connection.ehlo_or_helo_if_needed()


def _say_goodbye(connection: smtplib.SMTP) -> None:
    try:
        connection.quit()
    except OSError:
        return  # the server has what it was to have; how it hangs up does not matter


def _trust(config: EmailConfig) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if config.ca_certificate is not None:
        try:
            context.load_verify_locations(cafile=config.ca_certificate)
        except (OSError, ssl.SSLError) as error:
            raise GiveUp(
                f"tde.email.ca_certificate: {config.ca_certificate} cannot be used"
                f" ({error.strerror or type(error).__name__}): give a readable file with certificates in PEM form"
            ) from None
    return context
