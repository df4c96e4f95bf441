"""The TDE `email`: sends a mail through the SMTP server of the settings.

It speaks SMTP with the standard library, not with apprise, which the `notify` TDE uses: apprise sends one mail for each
recipient, gives it a Message-ID of its own each time, drops an address that it cannot read, and does not say whom the
server refused or whether trying again may help.
"""

from collections.abc import Mapping
from datetime import timedelta
from email.headerregistry import Address
from typing import Any

from procos.sdk import GiveUp, RetryPolicy, TaskContext, tde
from procos_workers.email_address import read_mailbox
from procos_workers.email_config import SECRETS, EmailConfig
from procos_workers.email_failure import EmailFailed
from procos_workers.email_message import compose, message_id
from procos_workers.email_server import Answers, connect
from procos_workers.email_task import EmailInput, EmailOutput, Refusal

_FIRST_FINAL_CODE = 500
_SHORTEST_SECRET = 6


@tde(
    "email",
    description="Sends a mail with text, HTML and attachments through an SMTP server",
    config=EmailConfig,
    time_limit=timedelta(minutes=15),
    # A server that refuses for now wants to be asked again in minutes, not in seconds.
    retry=RetryPolicy(first_backoff=timedelta(seconds=30), factor=3, longest_backoff=timedelta(minutes=15)),
    secrets=SECRETS,
    examples=("Send the customer the invoice by e-mail", "Mail the weekly report to the team"),
)
def email(mail: EmailInput, context: TaskContext[EmailConfig]) -> EmailOutput:
    """Sends a mail to all of its recipients at once.

    If the server refuses some of them for good, the others get the mail, and the output says who was refused and why,
    unless the task says `all_or_none`. Whoever is refused for now (4xx) is tried again, alone: those who have the mail
    are kept with the job, and do not get it twice. A repeated job sends under the same Message-ID.

    Raises:
        GiveUp: a person has to mend something: a recipient that the settings do not allow, attachments that are too
            large, the login, a certificate that is not trusted, or a server that refuses (5xx) everybody or the mail.
        EmailFailed: it may work later: no connection, or a server that refuses for now (4xx).
    """
    sender = _sender(context.config)
    _check(mail, context.config)
    identity = message_id(mail, sender=sender, idempotency_key=context.idempotency_key)
    message = compose(mail, sender=sender, identity=identity)
    return _Delivery(mail, context, identity).run(sender.addr_spec, message)


def _sender(config: EmailConfig) -> Address:
    if not config.host or config.from_address is None:
        raise GiveUp("there is no mail server to send with: set tde.email.host and tde.email.from_address")
    return read_mailbox(config.from_address)


def _check(mail: EmailInput, config: EmailConfig) -> None:
    recipients = mail.recipients()
    if len(recipients) > config.max_recipients:
        raise GiveUp(
            f"the mail has {len(recipients)} recipients, and tde.email.max_recipients allows {config.max_recipients}"
        )
    foreign = [address for address in recipients if not config.permits(address)]
    if foreign:
        raise GiveUp(f"{', '.join(foreign)}: not among those who may be written to; see tde.email.allow_recipients")
    size = sum(len(attachment.content) for attachment in mail.attachments)
    if size > config.max_attachment_bytes:
        raise GiveUp(
            f"the attachments have {size} bytes together, and tde.email.max_attachment_bytes allows"
            f" {config.max_attachment_bytes}; send an address where the file lies instead"
        )


class _Delivery:
    """One mail on its way, and what an earlier attempt of the job did of it."""

    def __init__(self, mail: EmailInput, context: TaskContext[EmailConfig], identity: str) -> None:
        self._mail = mail
        self._context = context
        self._identity = identity
        self._where = f"mail through {context.config.host}:{context.config.server_port}"
        self._sent, self._refused = _earlier(context.saved, identity)

    def run(self, sender: str, message: bytes) -> EmailOutput:
        """Sends the mail to whoever has not got it yet.

        Raises:
            GiveUp, EmailFailed: as the TDE's function says.
        """
        waiting = [address for address in self._mail.recipients() if address not in (*self._sent, *self._refused)]
        for_now = self._send(sender, waiting, message) if waiting else {}
        if for_now:
            raise EmailFailed(f"{self._where}: {self._got_it()}; refused for now: {_listed(for_now)}")
        if not self._sent:
            raise GiveUp(f"{self._where}: the server refused every recipient: {_listed(self._refused)}")
        return EmailOutput(
            message_id=self._identity,
            accepted=[address for address in self._mail.recipients() if address in self._sent],
            refused=[Refusal(address=address, code=said[0], reason=said[1]) for address, said in self._refused.items()],
        )

    def _send(self, sender: str, recipients: list[str], message: bytes) -> dict[str, tuple[int, str]]:
        """Sends to these recipients, and gives back whom the server refused for now."""
        password = self._password()
        with connect(self._context.config, where=self._where, password=password) as server:
            answers = server.offer(sender, recipients)
            if self._mail.all_or_none and answers.refused:
                server.withdraw()
                raise self._nobody(answers)
            if self._context.cancelled:
                server.withdraw()
                raise EmailFailed(f"{self._where}: the job is gone, so nothing was sent")
            if answers.accepted:
                server.deliver(message)
                self._sent += answers.accepted
            self._refused |= {who: said for who, said in answers.refused.items() if said[0] >= _FIRST_FINAL_CODE}
            self._keep()
        return {who: said for who, said in answers.refused.items() if who not in self._refused}

    def _password(self) -> str | None:
        name = self._context.config.password_secret
        if name is None:
            return None
        password = self._context.secret(name)
        if len(password) >= _SHORTEST_SECRET and _holds(self._mail, password):
            raise GiveUp("the mail holds the password of the mail server; take it out of the task's variables")
        return password

    def _nobody(self, answers: Answers) -> Exception:
        message = f"{self._where}: nothing was sent, since the server refused {_listed(answers.refused)}"
        is_final = any(code >= _FIRST_FINAL_CODE for code, _ in answers.refused.values())
        return GiveUp(message) if is_final else EmailFailed(message)

    def _keep(self) -> None:
        self._context.progress({"message_id": self._identity, "sent": self._sent, "refused": self._refused})

    def _got_it(self) -> str:
        return f"sent to {', '.join(self._sent)}" if self._sent else "sent to nobody yet"


def _holds(mail: EmailInput, secret: str) -> bool:
    texts = (mail.subject, mail.text or "", mail.html or "", *mail.to, *mail.cc, *mail.reply_to)
    names = [attachment.filename for attachment in mail.attachments]
    contents = [attachment.content for attachment in mail.attachments]
    return any(secret in text for text in (*texts, *names)) or any(secret.encode() in content for content in contents)


def _earlier(saved: Any, identity: str) -> tuple[list[str], dict[str, tuple[int, str]]]:  # noqa: ANN401 - any JSON
    # A mail that was changed since, when an incident was resolved, is another mail.
    if not isinstance(saved, Mapping) or saved.get("message_id") != identity:
        return [], {}
    return list(saved["sent"]), {who: (code, words) for who, (code, words) in saved["refused"].items()}


def _listed(refused: Mapping[str, tuple[int, str]]) -> str:
    return "; ".join(f"{address} ({code} {words})" for address, (code, words) in refused.items())
