"""The process that is generated for a TDE, called by another one on the real engine: every path that is drawn."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import timedelta
from typing import Any
from xml.sax.saxutils import quoteattr

import pytest
from pydantic import BaseModel

from procos.authoring.tde_process import process_id, tde_process
from procos.kernel.plugins import discover
from procos.model.deployment import Resource
from procos.runtime.worker import Worker
from procos.sdk import BpmnError, GiveUp, RetryPolicy, Tde, tde
from procos.wiring.engines import EngineSession

pytestmark = [pytest.mark.engine, pytest.mark.anyio]

Work = Callable[..., AbstractAsyncContextManager[Worker]]
QUICK = RetryPolicy(first_backoff=timedelta(milliseconds=50), jitter=0)

_CALLER = """<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
                  xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="definitions" targetNamespace="tests">
  <bpmn:error id="error" errorCode={catches}/>
  <bpmn:process id={id} isExecutable="true">
    <bpmn:startEvent id="start"><bpmn:outgoing>to-call</bpmn:outgoing></bpmn:startEvent>
    <bpmn:sequenceFlow id="to-call" sourceRef="start" targetRef="call"/>
    <bpmn:callActivity id="call" name="Call the TDE">
      <bpmn:extensionElements>
        <zeebe:calledElement processId={called} propagateAllChildVariables="true"/>
        <zeebe:ioMapping>{inputs}</zeebe:ioMapping>
      </bpmn:extensionElements>
      <bpmn:incoming>to-call</bpmn:incoming><bpmn:outgoing>to-end</bpmn:outgoing>
    </bpmn:callActivity>
    <bpmn:sequenceFlow id="to-end" sourceRef="call" targetRef="end"/>
    <bpmn:endEvent id="end"><bpmn:incoming>to-end</bpmn:incoming></bpmn:endEvent>
    <bpmn:boundaryEvent id="caught" attachedToRef="call">
      <bpmn:extensionElements>
        <zeebe:ioMapping>
          <zeebe:output source="=true" target="caught"/><zeebe:output source="=item" target="errorItem"/>
        </zeebe:ioMapping>
      </bpmn:extensionElements>
      <bpmn:outgoing>to-other-end</bpmn:outgoing><bpmn:errorEventDefinition errorRef="error"/>
    </bpmn:boundaryEvent>
    <bpmn:sequenceFlow id="to-other-end" sourceRef="caught" targetRef="other-end"/>
    <bpmn:endEvent id="other-end"><bpmn:incoming>to-other-end</bpmn:incoming></bpmn:endEvent>
  </bpmn:process>
</bpmn:definitions>
"""


class Order(BaseModel):
    item: str
    left: str = "as ordered"


class Reserved(BaseModel):
    left: int


class ToUndo(BaseModel):
    item: str
    left: str
    output: dict[str, Any]


async def call(
    session: EngineSession,
    of: Tde[..., Any],
    *,
    given: Mapping[str, str] | None = None,
    catches: str = "NOTHING",
    undo_job_type: str | None = None,
) -> dict[str, Any]:
    """The variables of a process that has called the TDE's, after its end; `given` maps further inputs to FEEL."""
    inputs = {"item": '"pear"', **(given or {})}
    mapped = "".join(
        f"<zeebe:input source={quoteattr('=' + feel)} target={quoteattr(it)}/>" for it, feel in inputs.items()
    )
    caller = f"caller-of-{of.name}"
    text = _CALLER.format(
        id=quoteattr(caller), called=quoteattr(process_id(of.name)), catches=quoteattr(catches), inputs=mapped
    )
    own = tde_process(of.manifest().model_copy(update={"undo_job_type": undo_job_type}))
    await session.engine.deploy([Resource("tde.bpmn", own.encode()), Resource("caller.bpmn", text.encode())])
    result = await session.engine.create_instance_with_result(caller, variables={}, timeout=timedelta(seconds=60))
    return dict(result.variables)


async def test_the_processes_of_the_bundled_tdes_are_taken(session: EngineSession) -> None:
    manifests = [found.tde.manifest() for found in discover().tdes if found.distribution == "procos"]
    for undo in (None, "undo"):
        # Under names of their own: kernels that boot on this engine deploy the real ones.
        for manifest in manifests:
            renamed = manifest.model_copy(update={"name": f"test-{manifest.name}", "undo_job_type": undo})
            text = tde_process(renamed)
            deployed = await session.engine.deploy([Resource("tde.bpmn", text.encode())])
            assert deployed.process_ids == (process_id(renamed.name),)


async def test_output_reaches_the_caller_and_nothing_of_the_process_itself(session: EngineSession, work: Work) -> None:
    @tde("test-path-success", description="Takes one from the stock")
    def reserve(order: Order) -> Reserved:
        return Reserved(left=2)

    async with work(reserve):
        result = await call(session, reserve)
    assert result["left"] == 2
    assert {name: value for name, value in result.items() if name.startswith("tde") and value is not None} == {}


async def test_a_failed_round_is_followed_by_another_one_after_a_wait(session: EngineSession, work: Work) -> None:
    rounds = 0

    @tde("test-path-retry", description="Works the third time")
    def reserve(order: Order) -> Reserved:
        nonlocal rounds
        rounds += 1
        if rounds < 3:
            raise GiveUp("not yet")
        return Reserved(left=rounds)

    async with work(reserve):
        result = await call(session, reserve, given={"tdeRounds": "3", "tdeBackoff": '"PT0.1S"'})
    assert result["left"] == 3


async def test_the_job_has_its_attempts_within_a_round_and_the_last_one_throws_to_the_caller(
    session: EngineSession, work: Work
) -> None:
    attempts = 0

    @tde("test-path-failed", description="Fails", retry=QUICK)
    def reserve(order: Order) -> Reserved:
        nonlocal attempts
        attempts += 1
        raise ValueError("the shelf is empty")

    async with work(reserve):
        result = await call(session, reserve, catches="TDE_FAILED")
    assert result["caught"] is True
    assert attempts == 3


async def test_a_round_that_is_out_of_time_is_ended_and_thrown_to_the_caller(
    session: EngineSession, work: Work
) -> None:
    @tde("test-path-late", description="Hangs")
    async def reserve(order: Order) -> Reserved:
        await asyncio.sleep(3600)
        return Reserved(left=0)

    async with work(reserve):
        result = await call(session, reserve, given={"tdeTimeLimit": '"PT1S"'}, catches="TDE_TIMEOUT")
    assert result["caught"] is True


async def test_what_the_tde_throws_reaches_the_caller_with_its_code_and_variables(
    session: EngineSession, work: Work
) -> None:
    @tde("test-path-own-error", description="Has none left")
    def reserve(order: Order) -> Reserved:
        raise BpmnError("SOLD_OUT", "none left", variables={"item": order.item.upper()})

    async with work(reserve):
        result = await call(session, reserve, given={"tdeRounds": "3"}, catches="SOLD_OUT")
    assert result["errorItem"] == "PEAR"


async def test_what_the_caller_does_not_keep_is_undone(session: EngineSession, work: Work) -> None:
    undone: list[ToUndo] = []

    @tde("test-path-undo", description="Takes one from the stock")
    def reserve(order: Order) -> Reserved:
        return Reserved(left=2)

    @tde("test-path-undo-handler", description="Puts it back", job_type="tde.test-path-undo.undo")
    def put_back(given: ToUndo) -> None:
        undone.append(given)

    async with AsyncExitStack() as workers:
        for one in (reserve, put_back):
            await workers.enter_async_context(work(one))
        result = await call(
            session,
            reserve,
            given={"tdeKeep": "false", "left": '"as ordered"'},
            catches="TDE_UNDONE",
            undo_job_type="tde.test-path-undo.undo",
        )
    assert result["caught"] is True
    assert undone == [ToUndo(item="pear", left="as ordered", output={"left": 2})]


async def test_what_came_back_incomplete_from_another_worker_is_undone(session: EngineSession, work: Work) -> None:
    undone: list[str] = []

    @tde("test-path-incomplete", description="Takes one from the stock")
    def reserve(order: Order) -> Reserved:
        raise AssertionError("another worker has the job type")

    @tde("test-path-other-worker", description="Forgets the output", job_type="tde.test-path-incomplete")
    def other(order: Order) -> None: ...

    @tde("test-path-incomplete-handler", description="Puts it back", job_type="tde.test-path-incomplete.undo")
    def put_back(order: Order) -> None:
        undone.append(order.item)

    async with AsyncExitStack() as workers:
        for one in (other, put_back):
            await workers.enter_async_context(work(one))
        result = await call(session, reserve, catches="TDE_UNDONE", undo_job_type="tde.test-path-incomplete.undo")
    assert result["caught"] is True
    assert undone == ["pear"]


async def test_what_is_kept_is_not_undone(session: EngineSession, work: Work) -> None:
    @tde("test-path-kept", description="Takes one from the stock")
    def reserve(order: Order) -> Reserved:
        return Reserved(left=0)

    async with work(reserve):
        result = await call(session, reserve, undo_job_type="tde.test-path-kept.undo")
    assert result["left"] == 0
    assert "caught" not in result


async def test_a_failure_is_reported_where_the_caller_wants_that(session: EngineSession, work: Work) -> None:
    @tde("test-report-failed", description="Gives up")
    def reserve(order: Order) -> Reserved:
        raise GiveUp("the shelf is empty")

    async with work(reserve):
        result = await call(session, reserve, given={"tdeReport": "true"}, catches="TDE_FAILED")
    assert (result["tdeErrorCode"], result["tdeErrorMessage"]) == ("TDE_FAILED", "the shelf is empty")
    assert "caught" not in result
    assert result["tdeRound"] is None
    assert "left" not in result


async def test_lateness_is_reported_where_the_caller_wants_that(session: EngineSession, work: Work) -> None:
    @tde("test-report-late", description="Hangs")
    async def reserve(order: Order) -> Reserved:
        await asyncio.sleep(3600)
        return Reserved(left=0)

    async with work(reserve):
        result = await call(session, reserve, given={"tdeReport": "true", "tdeTimeLimit": '"PT1S"'})
    assert (result["tdeErrorCode"], result["tdeErrorMessage"]) == ("TDE_TIMEOUT", "the round ran out of time")


async def test_a_round_that_is_well_leaves_nothing_of_the_failed_one(session: EngineSession, work: Work) -> None:
    rounds = 0

    @tde("test-report-second-round", description="Works the second time")
    def reserve(order: Order) -> Reserved:
        nonlocal rounds
        rounds += 1
        if rounds < 2:
            raise GiveUp("not yet")
        return Reserved(left=rounds)

    given = {"tdeReport": "true", "tdeRounds": "2", "tdeBackoff": '"PT0.1S"'}
    async with work(reserve):
        result = await call(session, reserve, given=given)
    assert result["left"] == 2
    assert result["tdeErrorCode"] is None


async def test_what_was_undone_is_reported_where_the_caller_wants_that(session: EngineSession, work: Work) -> None:
    @tde("test-report-undone", description="Takes one from the stock")
    def reserve(order: Order) -> Reserved:
        return Reserved(left=2)

    @tde("test-report-undone-handler", description="Puts it back", job_type="tde.test-report-undone.undo")
    def put_back(given: ToUndo) -> None: ...

    async with AsyncExitStack() as workers:
        for one in (reserve, put_back):
            await workers.enter_async_context(work(one))
        result = await call(
            session,
            reserve,
            given={"tdeKeep": "false", "tdeReport": "true", "left": '"as ordered"'},
            undo_job_type="tde.test-report-undone.undo",
        )
    assert result["tdeErrorCode"] == "TDE_UNDONE"
    assert "caught" not in result


async def test_what_the_tde_throws_is_thrown_also_where_failures_are_reported(
    session: EngineSession, work: Work
) -> None:
    @tde("test-report-own-error", description="Has none left")
    def reserve(order: Order) -> Reserved:
        raise BpmnError("SOLD_OUT", "none left", variables={"item": "PEAR"})

    async with work(reserve):
        result = await call(session, reserve, given={"tdeReport": "true"}, catches="SOLD_OUT")
    assert result["errorItem"] == "PEAR"
