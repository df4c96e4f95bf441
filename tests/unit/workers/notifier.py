"""Calls the TDE `notify` as the function that it is."""

from pathlib import Path
from typing import Any

from procos.sdk import GiveUp
from procos.sdk.context import JobLink
from procos_workers.notify import notify
from procos_workers.notify_task import NotifyConfig, NotifyInput, NotifyOutput
from tests.unit.workers.context import task_context


class NotifyJob:
    """A job of the notify TDE over its attempts; its channels are named here with their URLs."""

    def __init__(self, channels: dict[str, str], **config: Any) -> None:
        self.secrets = {f"NOTIFY_{name.upper()}": url for name, url in channels.items()}
        named = {name: f"NOTIFY_{name.upper()}" for name in channels}
        self.config = NotifyConfig.model_validate({"channels": named} | config)
        self.kept: Any = None
        self.is_cancelled = False

    def attempt(self, channels: Any = "team", **task: Any) -> NotifyOutput:
        link = JobLink(keep=self._keep, is_cancelled=lambda: self.is_cancelled, secret=self._secret)
        context = task_context(self.config, Path("/nowhere"), saved=self.kept, link=link)
        return notify(NotifyInput.model_validate({"channels": channels, "message": "It is done"} | task), context)

    def _keep(self, value: Any) -> None:
        self.kept = value

    def _secret(self, name: str) -> str:
        if name not in self.secrets:
            raise GiveUp(f"there is no secret '{name}'")
        return self.secrets[name]
