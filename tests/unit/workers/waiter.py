"""Calls the TDE `wait-for` as the function that it is, check by check."""

from pathlib import Path
from typing import Any

from procos.sdk import RetryLater
from procos.sdk.context import JobLink
from procos_workers.wait_for import wait_for
from procos_workers.wait_for_task import WaitForConfig, WaitForInput, WaitForOutput
from tests.unit.workers.context import task_context


class WaitingJob:
    """A job of the wait-for TDE over its checks; time passes only where the test says so."""

    def __init__(self, config: dict[str, Any] | None = None, **task: Any) -> None:
        self.config = WaitForConfig.model_validate(config or {})
        self.task = WaitForInput.model_validate(task)
        self.kept: Any = None

    async def check(self) -> WaitForOutput | RetryLater:
        """One attempt of the job: what it gives, or that it comes again."""
        link = JobLink(keep=self._keep)
        context = task_context(self.config, Path("/nowhere"), saved=self.kept, link=link)
        try:
            return await wait_for(self.task, context)
        except RetryLater as outcome:
            return outcome

    async def check_later(self, seconds: float) -> WaitForOutput | RetryLater:
        """The next attempt, after that time; negative where the clock was set back."""
        self.kept["last_check"] -= seconds
        return await self.check()

    def _keep(self, value: Any) -> None:
        self.kept = value
