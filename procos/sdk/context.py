"""What a TDE's function may know of the job that it works on."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic

from pydantic import BaseModel, ConfigDict
from typing_extensions import TypeVar

from procos.errors import GiveUp


class NoConfig(BaseModel):
    """The configuration of a TDE that has none."""

    model_config = ConfigDict(extra="forbid")


ConfigT = TypeVar("ConfigT", bound=BaseModel, default=NoConfig)


def _no_secrets(name: str) -> str:
    raise GiveUp(f"there is no secret '{name}': this context was made without secrets")


def _keep_nothing(value: Any) -> None:  # noqa: ANN401 - any JSON value
    """Plain functions, no lambdas: a link is pickled on its way to another process."""


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLink:
    """How a context reaches back to what runs its job; the defaults are those of a job that nothing runs."""

    keep: Callable[[Any], None] = _keep_nothing
    is_cancelled: Callable[[], bool] = _never
    secret: Callable[[str], str] = _no_secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskContext(Generic[ConfigT]):
    """The job behind a call.

    `config` is the TDE's own table of the settings (`[tde.NAME]` in procos.toml), validated by the model that the TDE
    declared; `data_folder` a folder that the TDE may keep files in; `attempt` counts from 1; `idempotency_key` is the
    same for every attempt of one job; `correlation_id` for everything that one run did; `saved` is what an earlier
    attempt of this job kept with `progress`, None where none did.
    """

    job_key: int
    process_instance_key: int
    process_definition_id: str
    process_definition_version: int = 1
    element_id: str
    headers: Mapping[str, str]
    attempt: int
    correlation_id: str
    tenant_id: str = ""
    config: ConfigT
    data_folder: Path
    logger: logging.LoggerAdapter[logging.Logger]
    saved: Any = None
    link: JobLink = field(default_factory=JobLink, repr=False)

    @property
    def idempotency_key(self) -> str:
        """The job's key: one job keeps it over all its attempts, no other job ever has it."""
        return str(self.job_key)

    @property
    def cancelled(self) -> bool:
        """Whether the job is gone from the engine, or its time is over: what is done from now on is for nobody.

        An async function is cancelled as well; a plain one has to look.
        """
        return self.link.is_cancelled()

    def progress(self, value: Any) -> None:  # noqa: ANN401 - any JSON value
        """Keeps `value`, any JSON, for the next attempt of this job, where it is `saved`; the last value counts.

        Raises:
            TypeError: JSON cannot hold it.
        """
        self.link.keep(value)

    def secret(self, name: str) -> str:
        """The secret `name`, which the TDE must have declared (`@tde(..., secrets=...)`).

        Raises:
            GiveUp: it was not declared, or there is none by that name.
        """
        return self.link.secret(name)
