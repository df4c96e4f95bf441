"""Calls the TDE `email` as the function that it is."""

from pathlib import Path
from typing import Any

from procos.sdk import GiveUp
from procos.sdk.context import JobLink
from procos_workers.email_config import EmailConfig
from procos_workers.email_task import EmailInput, EmailOutput
from procos_workers.send_email import email
from tests.unit.workers.context import task_context
from tests.unit.workers.mail_server import MailServer

SECRETS = {"EMAIL_PASSWORD": "geheim-42"}


class Job:
    """A job of the email TDE, over its attempts: what it keeps is there the next time."""

    def __init__(self, server: MailServer | None, **config: Any) -> None:
        fields = {"host": "127.0.0.1", "security": "none", "from_address": "Office <office@procos.test>"}
        port = {"port": server.port} if server else {}
        self.config = EmailConfig.model_validate(fields | port | config)
        self.kept: Any = None
        self.is_cancelled = False

    def attempt(self, **mail: Any) -> EmailOutput:
        fields = {"to": "ada@example.org", "subject": "Hello", "text": "Hi Ada"}
        context = task_context(self.config, Path("/nowhere"), saved=self.kept, link=self._link())
        return email(EmailInput.model_validate(fields | mail), context)

    def _link(self) -> JobLink:
        return JobLink(keep=self._keep, is_cancelled=lambda: self.is_cancelled, secret=self._secret)

    def _keep(self, value: Any) -> None:
        self.kept = value

    @staticmethod
    def _secret(name: str) -> str:
        if name not in SECRETS:
            raise GiveUp(f"there is no secret '{name}'")
        return SECRETS[name]


def send(server: MailServer | None, config: dict[str, Any] | None = None, **mail: Any) -> EmailOutput:
    return Job(server, **(config or {})).attempt(**mail)
