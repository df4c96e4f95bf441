"""The TDE `wait-for`: waits until a condition holds, and holds no slot of the worker meanwhile."""

import time
from datetime import timedelta

from procos.sdk import BpmnError, RetryLater, TaskContext, tde
from procos_workers.wait_for_checks import Finding, check_file, check_http, check_tcp
from procos_workers.wait_for_memory import Memory
from procos_workers.wait_for_task import WaitForConfig, WaitForInput, WaitForOutput

TIMEOUT_CODE = "WAIT_TIMEOUT"

_LONGEST_FINDING = 500
_SHORTEST_WAIT = timedelta(seconds=0.1)


@tde(
    "wait-for",
    description="Waits until a server answers as expected, a file is there or gone, or a port takes connections",
    config=WaitForConfig,
    secrets=("*",),
    examples=("Wait until the report is finished on the server", "Wait until the file of the bank has arrived"),
)
async def wait_for(task: WaitForInput, context: TaskContext[WaitForConfig]) -> WaitForOutput:
    """Checks the condition once. If it does not hold yet, the job goes back to the engine until the next check.

    No retry is used up by waiting. When the first check was, how many there were and what the last one found is kept
    with the job. The last check is made when the time is over.

    Raises:
        RetryLater: not yet; the next check follows after the interval.
        BpmnError: WAIT_TIMEOUT: the time is over, with the variables `finding`, `checks` and `waited_seconds`.
        GiveUp: the condition cannot be checked: a host, path or permission that a person has to mend.
    """
    memory = Memory.of(context.saved, now=time.time())
    finding = await _check(task, context, memory)
    if finding.holds:
        return WaitForOutput(
            waited_seconds=round(memory.waited_seconds, 3),
            checks=memory.checks,
            finding=finding.text,
            value=finding.value,
        )
    memory.finding = finding.text[:_LONGEST_FINDING]
    left = task.timeout - timedelta(seconds=memory.waited_seconds)
    if left <= timedelta(0):
        raise _over(task, memory)
    context.progress(memory.model_dump(mode="json"))
    waits = [task.wait_after(memory.checks), left]
    if finding.next_chance is not None:
        waits.append(finding.next_chance)
    raise RetryLater(f"not yet: {memory.finding}", after=max(min(waits), _SHORTEST_WAIT), keep_retries=True)


async def _check(task: WaitForInput, context: TaskContext[WaitForConfig], memory: Memory) -> Finding:
    if task.http is not None:
        return await check_http(task.http, context)
    if task.file is not None:
        return await check_file(task.file, context.config, memory)
    if task.tcp is not None:
        return await check_tcp(task.tcp, context.config.http)
    raise AssertionError("the input has one condition")


def _over(task: WaitForInput, memory: Memory) -> BpmnError:
    waited = round(memory.waited_seconds, 3)
    return BpmnError(
        TIMEOUT_CODE,
        f"the condition did not hold within {task.timeout.total_seconds():g} s (checks: {memory.checks}); found last:"
        f" {memory.finding}",
        variables={"finding": memory.finding, "checks": memory.checks, "waited_seconds": waited},
    )
