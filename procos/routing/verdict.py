"""What one stage made of a task."""

from dataclasses import dataclass

from procos.model.routing import Candidate, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """An answer where `tde` is named; with `asks_person`, no later stage is asked; else the next one is.

    `is_settled` where a person shall decide each time, whatever a person said of the very same task before.
    `is_lasting` is False where something was away or failed: another time the stage may say more.
    """

    stage: Stage
    reason: str
    tde: str | None = None
    confidence: float = 0.0
    asks_person: bool = False
    is_settled: bool = False
    candidates: tuple[Candidate, ...] = ()
    is_lasting: bool = True

    @property
    def is_final(self) -> bool:
        """Whether the router is done."""
        return self.tde is not None or self.asks_person
