"""The jobs of the processes `procos-pdo` and `procos-watchdog`: scan, go on in a new instance, revive."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from procos.errors import EngineError
from procos.kernel.heartbeat.options import PDO_KEY, START_MESSAGE, WAKE_MESSAGE, HeartbeatOptions, iso
from procos.kernel.heartbeat.scan import Scan, Scanner
from procos.kernel.heartbeat.tally import Tally
from procos.ports.engine import Engine
from procos.sdk.context import TaskContext
from procos.sdk.registration import Tde, tde
from procos.sdk.retry import RetryPolicy

_SUCCESSOR_WAITS = timedelta(hours=1)
_LIMIT = timedelta(minutes=1)
_log = logging.getLogger(__name__)


class Beat(BaseModel):
    """What the process tells of the beat before."""

    successions: int | None = None


class Scanned(BaseModel):
    """What the process needs to go on; `pause` is ISO 8601."""

    model_config = ConfigDict(populate_by_name=True)

    found: int
    handed_over: int = Field(serialization_alias="handedOver")
    is_full: bool = Field(serialization_alias="isFull")
    pause: str


class NoInput(BaseModel):
    """The input of a job that needs none."""


@dataclass(kw_only=True)
class Pdo:
    """The part of one kernel in the engine's heartbeat; several kernels may have one each."""

    engine: Engine
    scanner: Scanner
    options: HeartbeatOptions
    tally: Tally
    _pause: timedelta = field(default=timedelta(0), init=False)
    _rested_at: float | None = field(default=None, init=False)
    _arrived: int = field(default=0, init=False)
    _is_woken: bool = field(default=False, init=False)

    async def start(self) -> None:
        """Starts the heartbeat where none lives on this engine.

        Raises:
            EngineError: the engine did not take the message.
        """
        await self._publish_start(ttl=timedelta(0), successions=0)

    async def arrived(self, is_handed_over: bool) -> None:  # noqa: FBT001 - the one thing to say
        """A task was pushed to this kernel: the heartbeat, if it rests for long, shall beat faster again."""
        self._arrived += 1
        self.tally.add(found=1, handed_over=int(is_handed_over))
        if self._is_woken or self._pause <= self.options.shortest_pause:
            return
        self._is_woken = True
        try:
            await self.engine.publish_message(WAKE_MESSAGE, correlation_key=PDO_KEY)
        except EngineError as error:
            self._is_woken = False
            _log.info("the heartbeat keeps its pace: %s", error)

    def tdes(self) -> Sequence[Tde[..., Any]]:
        """The workers of these jobs; what fails is thrown as the BPMN error that the process catches."""

        async def scan(_: Beat, context: TaskContext) -> Scanned:
            return await self._beat(context)

        async def succeed(beat: Beat, context: TaskContext) -> None:
            await self._publish_start(
                ttl=_SUCCESSOR_WAITS,
                successions=(beat.successions or 0) + 1,
                message_id=f"{PDO_KEY}-{context.process_instance_key}",
            )

        async def revive(_: NoInput) -> None:
            await self.start()

        once = RetryPolicy(attempts=1)
        return [
            tde("pdo-scan", job_type="procos.pdo.scan", description="Finds tasks that nobody claims",
                time_limit=_LIMIT, retry=once)(scan),
            tde("pdo-succeed", job_type="procos.pdo.succeed", description="Goes on in a new instance",
                time_limit=_LIMIT, retry=once)(succeed),
            tde("pdo-revive", job_type="procos.pdo.revive", description="Starts the heartbeat where it stopped",
                time_limit=_LIMIT, retry=once)(revive),
        ]  # fmt: skip

    async def _beat(self, context: TaskContext) -> Scanned:
        lag = max(0.0, time.monotonic() - self._rested_at - self._pause.total_seconds()) if self._rested_at else 0.0
        try:
            scan = await self.scanner.scan()
        except Exception as error:
            self.tally.add(failed_beats=1)
            self.tally.note(trouble=str(error))
            raise
        self._pause = self._next_pause(scan)
        self._rested_at, self._arrived, self._is_woken = time.monotonic(), 0, False
        self.tally.add(found=scan.found, handed_over=scan.handed_over)
        pause_s = self._pause.total_seconds()
        self.tally.beat(context.process_instance_key, datetime.now(UTC), lag_s=lag, pause_s=pause_s)
        return Scanned(found=scan.found, handed_over=scan.handed_over, is_full=scan.is_full, pause=iso(self._pause))

    def _next_pause(self, scan: Scan) -> timedelta:
        """Short while something is found, then twice as long each time; never longer than a waiting task may wait."""
        shortest, longest = self.options.shortest_pause, self.options.longest_pause
        is_busy = scan.found > 0 or self._arrived > 0
        pause = shortest if is_busy else min(max(self._pause * 2, shortest), longest)
        return pause if scan.again_in is None else max(min(pause, scan.again_in), timedelta(milliseconds=100))

    async def _publish_start(self, *, ttl: timedelta, successions: int, message_id: str = "") -> None:
        await self.engine.publish_message(
            START_MESSAGE,
            correlation_key=PDO_KEY,
            variables={"pdoKey": PDO_KEY, "maxBeats": self.options.max_beats, "successions": successions},
            ttl=ttl,
            message_id=message_id,
        )
