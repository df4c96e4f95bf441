"""What one job's span says."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.trace import StatusCode

from procos.errors import BpmnError, GiveUp
from procos.model.job import Job
from procos.runtime.attempt import Attempt
from procos.runtime.execution import Execution
from procos.sdk.registration import NoConfig
from procos.telemetry.job_facts import facts_of_this_job
from procos.telemetry.tracing import current_trace
from tests.unit.runtime.a_job import a_job
from tests.unit.runtime.gates import In, Out
from tests.unit.runtime.workers import tde_of
from tests.unit.telemetry.spans import no_spans_yet, spans

pytestmark = pytest.mark.anyio

FACTS = {
    "correlationId": "c-9", "jobKey": 7, "jobType": "tde.some", "elementId": "Task_1", "processInstanceKey": 3,
    "processDefinitionId": "order",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _fresh():
    no_spans_yet()


async def span_of(function: Any, job: Job | None = None, attempt: Attempt | None = None, **secrets: str):
    runner = Execution(tde=tde_of(function), config=NoConfig(), secrets=secrets, data_folder=Path("/srv"))
    await runner.run(job or a_job(correlationId="c-9"), attempt)
    (span,) = spans()
    return span


async def test_a_span_says_which_job_it_is_and_which_attempt():
    def do(data: In) -> None:
        return None

    job = a_job(correlationId="c-9")
    span = await span_of(do, job, Attempt(job, failures=2))

    assert span.name == "tde some"
    assert dict(span.attributes) == {f"procos.{name}": value for name, value in FACTS.items()} | {"procos.attempt": 3}
    assert span.status.status_code is StatusCode.UNSET


async def test_a_failure_is_marked_without_the_secrets_that_it_names():
    def fail(data: In) -> None:
        raise GiveUp(f"no entry with {data.name}")

    span = await span_of(fail, a_job(name="{{secrets.TOKEN}}"), TOKEN="tok-919293")

    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "no entry with {{secrets.TOKEN}}")
    assert "tok-919293" not in span.to_json()


async def test_a_bpmn_error_is_no_failure_and_its_code_is_said():
    def fail(data: In) -> None:
        raise BpmnError("DECLINED")

    span = await span_of(fail)

    assert span.status.status_code is StatusCode.UNSET
    assert span.attributes["procos.bpmnErrorCode"] == "DECLINED"


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_function_works_within_its_span_and_knows_its_job(is_async):
    seen: list[Any] = []

    def look(data: In) -> Out:
        seen.extend([current_trace(), facts_of_this_job()])
        return Out(text="")

    async def look_async(data: In) -> Out:
        await asyncio.sleep(0)
        return look(data)

    span = await span_of(look_async if is_async else look)

    assert seen == [
        {"traceId": f"{span.context.trace_id:032x}", "spanId": f"{span.context.span_id:016x}"},
        FACTS,
    ]
    assert facts_of_this_job() == {}


async def test_a_trace_that_the_process_carries_goes_on():
    def do(data: In) -> None:
        return None

    carried = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    span = await span_of(do, a_job(traceparent=carried))

    assert f"{span.context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"


async def test_a_job_that_is_cancelled_ends_its_span():
    begun = asyncio.Event()

    async def hang(data: In) -> None:
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(span_of(hang))
    await begun.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert len(spans()) == 1
