"""Stage 2: the rules that people keep in a DMN table."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from procos.errors import EngineError, EngineNotFound, EngineOverloaded
from procos.model.routing import RULES_ID
from procos.model.task import Task
from procos.ports.decision_tables import DecisionTables
from procos.routing.catalogue import Catalogue
from procos.routing.options import RouterOptions
from procos.routing.recent import KeyedLocks, Recent
from procos.routing.task_words import clean
from procos.routing.verdict import Verdict

_LONGEST_TEXT: Final = 20_000
_LONGEST_REASON: Final = 1_000
_LONGEST_TDE: Final = 80
_REMEMBERED: Final = 1_024
_FIRST_WAIT_S: Final = 0.05
_LONGEST_WAIT_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class RulesAnswer:
    """What the table said: `matched`, with the outputs of the rule; or why there is nothing, in `note`."""

    note: str
    matched: bool = False
    tde: str = ""
    reason: str = ""
    is_lasting: bool = True


NOT_ASKED: Final = RulesAnswer("not asked, since no engine is at hand")


class Rules:
    """Asks the table; what it said of one kind of task counts for a few seconds, for a burst is of few kinds."""

    def __init__(
        self,
        tables: DecisionTables | None,
        options: RouterOptions,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tables = tables
        self._time_limit = options.rules_time_limit.total_seconds()
        self._fresh_for = options.rules_fresh_for.total_seconds()
        self._now = now
        self._recent: Recent[tuple[str, ...], tuple[float, RulesAnswer]] = Recent(_REMEMBERED)
        self._locks: KeyedLocks[tuple[str, ...]] = KeyedLocks()

    async def ask(self, task: Task) -> RulesAnswer:
        """What the rules say of `task`."""
        if self._tables is None:
            return NOT_ASKED
        variables = variables_of(task)
        key = tuple(variables.values())
        async with self._locks.hold(key):
            known = self._recent.get(key)
            if known is not None and self._now() - known[0] < self._fresh_for:
                return known[1]
            answer = await self._evaluate(self._tables, variables)
            if answer.is_lasting:
                self._recent.put(key, (self._now(), answer))
            return answer

    async def _evaluate(self, tables: DecisionTables, variables: Mapping[str, str]) -> RulesAnswer:
        try:
            async with asyncio.timeout(self._time_limit):
                return _read(await _answered(tables, variables))
        except EngineNotFound:
            return RulesAnswer(f"no decision {RULES_ID} is deployed")
        except EngineError as error:
            return RulesAnswer(error.message, is_lasting=False)
        except TimeoutError:
            return RulesAnswer(f"the engine did not answer within {self._time_limit:g} s", is_lasting=False)


async def _answered(tables: DecisionTables, variables: Mapping[str, str]) -> Any:  # noqa: ANN401 - any JSON value
    """An engine that is overloaded is asked again: a burst of tasks is no reason to pass a rule over."""
    wait = _FIRST_WAIT_S
    while True:
        try:
            return await tables.evaluate_decision(RULES_ID, variables=variables)
        except EngineOverloaded:
            await asyncio.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT_S)


def variables_of(task: Task) -> dict[str, str]:
    """What the table's inputs are called, and what they are for `task`."""
    return {
        "taskName": clean(task.name),
        "jobType": task.job_type,
        "processId": task.process_definition_id,
        "lane": clean(task.lane),
        "documentation": clean(task.documentation[:_LONGEST_TEXT]),
    }


def judge(answer: RulesAnswer, catalogue: Catalogue, away: Collection[str]) -> Verdict:
    """What follows from the rules' answer; a rule that names no TDE, or one that cannot be had, asks a person."""
    if not answer.matched:
        return Verdict(stage="rules", reason=f"rules: {answer.note}", is_lasting=answer.is_lasting)
    why = f" ({answer.reason})" if answer.reason else ""
    if not answer.tde:
        reason = f"rules: a person shall decide{why}"
        return Verdict(stage="rules", asks_person=True, is_settled=True, reason=reason)
    if catalogue.get(answer.tde) is None:
        near = ", ".join(repr(it) for it in catalogue.near(answer.tde))
        meant = f"; near are {near}" if near else ""
        reason = f"rules: a rule says '{answer.tde}'{why}, but no TDE of that name is registered{meant}"
        return Verdict(stage="rules", asks_person=True, reason=reason)
    if answer.tde in away:
        reason = f"rules: a rule says '{answer.tde}'{why}, which has failed at this task"
        return Verdict(stage="rules", asks_person=True, reason=reason)
    return Verdict(stage="rules", tde=answer.tde, confidence=1.0, reason=f"rules: a rule says '{answer.tde}'{why}")


def _read(output: Any) -> RulesAnswer:  # noqa: ANN401 - any JSON value
    if output is None:
        return RulesAnswer("no rule matches")
    if isinstance(output, str):
        return RulesAnswer("", matched=True, tde=clean(output)[:_LONGEST_TDE])
    if not isinstance(output, Mapping) or not {"tde", "reason"} & output.keys():
        return RulesAnswer(f"the table gives {type(output).__name__}, not the outputs tde and reason of one rule")
    tde, reason = output.get("tde"), output.get("reason")
    if not isinstance(tde, str | None):
        return RulesAnswer(f"a rule's tde is {type(tde).__name__}, not a text")
    return RulesAnswer(
        "", matched=True, tde=clean(tde or "")[:_LONGEST_TDE], reason=clean(str(reason or ""))[:_LONGEST_REASON]
    )
