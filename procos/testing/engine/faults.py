"""Faults that a test orders: calls that are refused, answers that are lost, an engine that is away."""

from collections import defaultdict, deque

from procos.errors import EngineError, EngineUnavailable


class Faults:
    """What the next calls meet with, by the method's name."""

    def __init__(self, address: str) -> None:
        self.is_away = False
        self._address = address
        self._due: dict[str, deque[tuple[EngineError, bool]]] = defaultdict(deque)

    def refuse(self, method: str, error: EngineError, times: int) -> None:
        """The next calls raise `error` and do nothing."""
        self._due[method].extend([(error, False)] * times)

    def lose_answer(self, method: str, error: EngineError) -> None:
        """The next call is done, but its caller gets `error`."""
        self._due[method].append((error, True))

    def begin(self, method: str) -> EngineError | None:
        """Raises a fault that is due; returns one that is due when the work is done."""
        self.check_reachable()
        if not self._due[method]:
            return None
        error, is_late = self._due[method].popleft()
        if is_late:
            return error
        raise error

    def check_reachable(self) -> None:
        """Raises `EngineUnavailable` while the engine is away."""
        if self.is_away:
            raise EngineUnavailable(f"no engine answers at {self._address}", hint="the test made it go away")
