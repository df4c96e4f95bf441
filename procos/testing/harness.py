"""Run a TDE without an engine, by the way that its jobs go in a worker."""

import asyncio
import itertools
import json
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Generic, TypeVar, overload

from pydantic import BaseModel

from procos.model.job import Failed, Job
from procos.runtime.attempt import Attempt
from procos.runtime.execution import CORRELATION_VARIABLE
from procos.sdk.registration import Tde
from procos.testing.preparation import prepared
from procos.testing.result import TdeResult

OutputT = TypeVar("OutputT")
Variables = Mapping[str, Any] | BaseModel

LONGEST_RUN: Final = 100
"""How many attempts `run_to_end` makes before it says that the TDE never ends."""

_FIRST_KEY = 2251799813685249
_keys = itertools.count(_FIRST_KEY)


class TdeHarness(Generic[OutputT]):
    """Runs jobs of one TDE as a worker does: input checked, secrets put in and taken out, time limit, result checked.

    `secrets` are the only secrets there are. `config` is the TDE's table of the settings, as a mapping or as the model;
    without it the model's defaults count. Without `data_folder` the TDE gets a folder of its own, which goes when the
    harness goes.
    """

    @overload
    def __init__(
        self: "TdeHarness[OutputT]",
        tde: Tde[..., Coroutine[Any, Any, OutputT]],
        *,
        secrets: Mapping[str, str] | None = None,
        config: Mapping[str, Any] | BaseModel | None = None,
        data_folder: Path | None = None,
    ) -> None: ...

    @overload
    def __init__(
        self: "TdeHarness[OutputT]",
        tde: Tde[..., OutputT],
        *,
        secrets: Mapping[str, str] | None = None,
        config: Mapping[str, Any] | BaseModel | None = None,
        data_folder: Path | None = None,
    ) -> None: ...

    def __init__(
        self,
        tde: Tde[..., Any],
        *,
        secrets: Mapping[str, str] | None = None,
        config: Mapping[str, Any] | BaseModel | None = None,
        data_folder: Path | None = None,
    ) -> None:
        self._execution = prepared(tde, secrets=secrets, config=config, data_folder=data_folder, kept_by=self)

    @property
    def data_folder(self) -> Path:
        """The folder that the TDE may keep files in; not there until the TDE makes it."""
        return self._execution.data_folder

    async def run(
        self,
        variables: Variables | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        retries: int = 3,
        correlation_id: str | None = None,
        attempt: int = 1,
        saved: object = None,
    ) -> TdeResult[OutputT]:
        """Runs one job once; `variables` are the process's, as JSON values or as the TDE's input model.

        `retries` are those that the engine hands out, this attempt included. `attempt` counts from 1; `saved` is what
        an earlier one kept with `progress`. Raises nothing that the TDE raises: see the result.
        """
        job = self._job(variables, headers, retries, correlation_id)
        return await self._run(Attempt(job, failures=attempt - 1, progress=saved))

    async def run_to_end(
        self,
        variables: Variables | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        retries: int = 3,
        correlation_id: str | None = None,
    ) -> tuple[TdeResult[OutputT], ...]:
        """Runs one job as often as the engine would give it out, without the waits between; the last result ends it.

        What an attempt keeps with `progress` is `saved` in the next.

        Raises:
            AssertionError: the job has not ended after 100 attempts.
        """
        attempt = Attempt(self._job(variables, headers, retries, correlation_id))
        results: list[TdeResult[OutputT]] = []
        while len(results) < LONGEST_RUN:
            result = await self._run(attempt)
            results.append(result)
            if not isinstance(result.outcome, Failed) or result.outcome.retries <= 0:
                return tuple(results)
            job = replace(attempt.job, retries=result.outcome.retries)
            attempt = Attempt(job, failures=attempt.failures + attempt.is_spent, progress=attempt.progress)
        raise AssertionError(f"the job has not ended after {LONGEST_RUN} attempts; the last: {results[-1].outcome}")

    def run_sync(
        self,
        variables: Variables | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        retries: int = 3,
        correlation_id: str | None = None,
        attempt: int = 1,
        saved: object = None,
    ) -> TdeResult[OutputT]:
        """`run`, for a test that is not async."""
        running = self.run(
            variables,
            headers=headers,
            retries=retries,
            correlation_id=correlation_id,
            attempt=attempt,
            saved=saved,
        )
        return asyncio.run(running)

    async def _run(self, attempt: Attempt) -> TdeResult[OutputT]:
        number = attempt.number
        outcome = await self._execution.run(attempt.job, attempt)
        return TdeResult(
            outcome=outcome,
            attempt=number,
            progress=attempt.progress,
            output_model=self._execution.tde.output_model,
        )

    def _job(
        self,
        variables: Variables | None,
        headers: Mapping[str, str] | None,
        retries: int,
        correlation_id: str | None,
    ) -> Job:
        given = _as_json(variables)
        if correlation_id is not None:
            given[CORRELATION_VARIABLE] = correlation_id
        names = self._execution.fetch_variables
        return Job(
            key=next(_keys),
            type=self._execution.tde.job_type,
            process_instance_key=next(_keys),
            process_definition_id="test",
            process_definition_key=_FIRST_KEY,
            process_definition_version=1,
            element_id="task",
            element_instance_key=next(_keys),
            retries=retries,
            deadline=datetime.now(UTC) + timedelta(minutes=5),
            variables={name: value for name, value in given.items() if not names or name in names},
            custom_headers=dict(headers or {}),
            worker="test",
        )


def _as_json(variables: Variables | None) -> dict[str, Any]:
    """The variables as the engine would hand them out.

    Raises:
        TypeError: JSON cannot hold them.
    """
    if isinstance(variables, BaseModel):
        variables = variables.model_dump(mode="json", by_alias=True)
    try:
        read: dict[str, Any] = json.loads(json.dumps(dict(variables or {}), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise TypeError(f"the variables are not JSON, which is all that a process holds: {error}") from None
    return read
