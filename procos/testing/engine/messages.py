"""Messages that were published to a FakeEngine; none of the BPMN that it runs waits for one."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from procos.testing.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeMessage:
    """One published message."""

    name: str
    correlation_key: str
    variables: Mapping[str, Any]
    ttl: timedelta
    message_id: str


class Messages:
    """What was published, and which message ids are buffered still."""

    def __init__(self, clock: Clock) -> None:
        self.published: list[FakeMessage] = []
        self._clock = clock
        self._buffered: dict[tuple[str, str, str], datetime] = {}

    def publish(self, message: FakeMessage) -> bool:
        """Takes a message; False where one with its name, key and id is buffered."""
        known = (message.name, message.correlation_key, message.message_id)
        until = self._buffered.get(known)
        if until is not None and self._clock.now() < until:
            return False
        if message.message_id and message.ttl:
            self._buffered[known] = self._clock.now() + message.ttl
        self.published.append(message)
        return True
