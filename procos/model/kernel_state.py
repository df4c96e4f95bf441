"""What a kernel says of itself in its home, for `procos status` and for the next boot."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from procos.model.heartbeat import HeartbeatReport

Phase = Literal["starting", "waiting", "degraded", "ready", "reconnecting", "draining", "stopped"]
"""starting: engine and bootstrap · waiting: for a gateway that does not answer · degraded: a health check failed ·
ready: workers run · reconnecting: the gateway went away, jobs in hand go on · draining: stops · stopped."""


class Problem(BaseModel):
    """Something that is wrong, and what to do about it."""

    model_config = ConfigDict(frozen=True)

    what: str
    hint: str = ""


class WorkerReport(BaseModel):
    """One worker in numbers of jobs since the kernel's boot."""

    model_config = ConfigDict(frozen=True)

    job_type: str
    in_hand: int
    completed: int
    failed: int
    errors_thrown: int
    replayed: int = 0


class KernelState(BaseModel):
    """A kernel's state; (`pid`, `process_created` in seconds since the epoch) name its process beyond doubt."""

    model_config = ConfigDict(frozen=True)

    kernel_id: str
    pid: int
    process_created: float
    phase: Phase
    version: str
    started_at: datetime
    updated_at: datetime
    address: str = ""
    embedded: bool = True
    engine_version: str = ""
    bootstrap_key: int | None = None
    monitoring: str = ""
    tdes: tuple[str, ...] = ()
    workers: tuple[WorkerReport, ...] = ()
    heartbeat: HeartbeatReport | None = None
    problems: tuple[Problem, ...] = ()
