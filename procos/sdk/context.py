"""What a TDE's function may know of the job that it works on."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

from pydantic import BaseModel, ConfigDict
from typing_extensions import TypeVar


class NoConfig(BaseModel):
    """The configuration of a TDE that has none."""

    model_config = ConfigDict(extra="forbid")


ConfigT = TypeVar("ConfigT", bound=BaseModel, default=NoConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskContext(Generic[ConfigT]):
    """The job behind a call.

    `config` is the TDE's own table of the settings (`[tde.NAME]` in procos.toml), validated by the model that the TDE
    declared; `data_folder` a folder that the TDE may keep files in; `attempt` counts from 1; `idempotency_key` is the
    same for every attempt of one job; `correlation_id` for everything that one run did.
    """

    job_key: int
    process_instance_key: int
    process_definition_id: str
    element_id: str
    headers: Mapping[str, str]
    attempt: int
    correlation_id: str
    config: ConfigT
    data_folder: Path
    logger: logging.LoggerAdapter[logging.Logger]

    @property
    def idempotency_key(self) -> str:
        """The job's key: one job keeps it over all its attempts, no other job ever has it."""
        return str(self.job_key)
