"""One job through one TDE: every way in which it can end."""

import asyncio
import contextlib
import contextvars
import logging
import sys
import threading
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, RootModel

from procos.errors import BpmnError, GiveUp, RetryLater
from procos.model.job import Completed, ErrorThrown, Failed
from procos.ports.secrets import SecretSource
from procos.runtime.execution import Execution
from procos.sdk import RetryPolicy, TaskContext, Tde, tde
from procos.sdk.registration import NoConfig
from procos.telemetry.secret_mask import secret_mask
from tests.unit.runtime.a_job import a_job

pytestmark = pytest.mark.anyio

TOKEN = "tok-55aa77cc"
A_WHILE = timedelta(milliseconds=50)


class In(BaseModel):
    name: str = "Ann"
    count: int = 1


class Out(BaseModel):
    value: Any = None


class Config(BaseModel):
    title: str = "Dr"


def some(function: Any, **options: Any) -> Tde[..., Any]:
    options.setdefault("secrets", ("*",))
    options.setdefault("retry", RetryPolicy(first_backoff=timedelta(seconds=8), factor=2, jitter=0))
    return tde("some", description="Does something", **options)(function)


def execution(
    function: Any, *, secrets: SecretSource | None = None, config: BaseModel | None = None, **options: Any
) -> Execution:
    return Execution(
        tde=function if isinstance(function, Tde) else some(function, **options),
        config=config or NoConfig(),
        secrets=secrets or {},
        data_folder=Path("/srv/tde/some"),
    )


def raising(error: BaseException) -> Any:
    def fail(data: In) -> Out:
        raise error

    return fail


def raising_later(error: BaseException) -> Any:
    async def fail(data: In) -> Out:
        raise error

    return fail


def returning(value: Any) -> Any:
    def give(data: In) -> Out:
        return value

    return give


# Completed


async def test_a_sync_function_completes_its_job():
    def greet(data: In) -> Out:
        return Out(value=f"{data.name} x {data.count}")

    assert await execution(greet).run(a_job(name="Bob", count=2)) == Completed({"value": "Bob x 2"})


async def test_an_async_function_completes_its_job():
    async def greet(data: In) -> Out:
        await asyncio.sleep(0)
        return Out(value=data.name)

    assert await execution(greet).run(a_job(name="Bob")) == Completed({"value": "Bob"})


async def test_a_function_that_returns_nothing_completes_without_variables():
    def nothing(data: In) -> None:
        return None

    assert await execution(nothing).run(a_job()) == Completed({})


async def test_a_sync_function_that_returns_an_awaitable_is_awaited():
    async def greet(data: In) -> Out:
        return Out(value=data.name)

    def begin(data: In) -> Awaitable[Out]:
        return greet(data)

    assert await execution(begin).run(a_job(name="Bob")) == Completed({"value": "Bob"})


async def test_results_go_out_as_json_and_by_their_aliases():
    class Rich(BaseModel):
        order_id: int = Field(serialization_alias="orderId")
        day: datetime
        took: timedelta

    def rich(data: In) -> Rich:
        return Rich(order_id=1, day=datetime(2024, 2, 29, tzinfo=UTC), took=timedelta(seconds=90))

    assert await execution(rich).run(a_job()) == Completed(
        {"orderId": 1, "day": "2024-02-29T00:00:00Z", "took": "PT1M30S"}
    )


async def test_a_sync_function_runs_off_the_event_loop_with_the_callers_context():
    variable = contextvars.ContextVar("variable", default="unset")
    variable.set("set by the caller")

    def look(data: In) -> Out:
        return Out(value=[threading.current_thread() is threading.main_thread(), variable.get()])

    assert await execution(look).run(a_job()) == Completed({"value": [False, "set by the caller"]})


async def test_sync_functions_run_side_by_side():
    both = threading.Barrier(2, timeout=10)

    def meet(data: In) -> Out:
        both.wait()
        return Out(value="met")

    runner = execution(meet)
    met = Completed({"value": "met"})

    assert await asyncio.gather(runner.run(a_job()), runner.run(a_job())) == [met, met]


# The context


async def test_the_function_gets_its_context():
    seen: list[TaskContext[Config]] = []

    def look(data: In, context: TaskContext[Config]) -> None:
        seen.append(context)

    runner = execution(look, config=Config(title="Prof"))
    await runner.run(a_job(retries=2, headers={"check": "disk"}, correlationId="c-9"))

    (context,) = seen
    assert (context.job_key, context.process_instance_key, context.process_definition_id) == (7, 3, "order")
    assert (context.element_id, context.headers, context.attempt) == ("Task_1", {"check": "disk"}, 2)
    assert (context.correlation_id, context.config, context.data_folder) == (
        "c-9", Config(title="Prof"), Path("/srv/tde/some"),
    )  # fmt: skip


async def test_without_a_correlation_id_the_instances_key_serves():
    seen: list[str] = []

    async def look(data: In, context: TaskContext[NoConfig]) -> None:
        seen.append(context.correlation_id)

    await execution(look).run(a_job())

    assert seen == ["3"]


@pytest.mark.parametrize(("retries", "attempt"), [(3, 1), (2, 2), (1, 3), (10, 1)])
async def test_attempts_are_counted_from_one(retries, attempt):
    seen: list[int] = []

    def look(data: In, context: TaskContext[NoConfig]) -> None:
        seen.append(context.attempt)

    await execution(look).run(a_job(retries=retries))

    assert seen == [attempt]


def test_the_variables_to_fetch_are_the_inputs_the_correlation_id_and_the_trace():
    class Open(BaseModel):
        model_config = ConfigDict(extra="allow")

    def take(data: Open) -> None:
        return None

    assert execution(returning(None)).fetch_variables == ("name", "count", "correlationId", "traceparent")
    assert execution(take).fetch_variables == ()


# Wrong input


async def test_a_missing_input_fails_for_good_and_names_field_and_type():
    class Needs(BaseModel):
        amount: int

    def need(data: Needs) -> None:
        raise AssertionError("must not run")

    assert await execution(need).run(a_job()) == Failed("input 'amount' is missing, expected integer", retries=0)


async def test_a_wrong_input_fails_for_good_and_names_field_and_type():
    outcome = await execution(returning(Out())).run(a_job(count="many"))

    assert isinstance(outcome, Failed)
    assert outcome.retries == 0
    assert outcome.message.startswith("input 'count' is wrong, expected integer: ")


# What a TDE raises on purpose


@pytest.mark.parametrize("fail", [raising, raising_later])
async def test_giving_up_leaves_no_retries(fail):
    assert await execution(fail(GiveUp("no such customer"))).run(a_job()) == Failed("no such customer", retries=0)


@pytest.mark.parametrize("fail", [raising, raising_later])
async def test_retrying_later_takes_the_time_that_it_is_given(fail):
    error = RetryLater("busy", after=timedelta(minutes=7))

    assert await execution(fail(error)).run(a_job()) == Failed("busy", retries=2, backoff=timedelta(minutes=7))


async def test_retrying_later_without_a_retry_left_is_the_end():
    error = RetryLater("busy", after=timedelta(minutes=7))

    assert await execution(raising(error)).run(a_job(retries=1)) == Failed("busy", retries=0)


@pytest.mark.parametrize("fail", [raising, raising_later])
async def test_a_bpmn_error_is_thrown_with_its_variables(fail):
    error = BpmnError("CARD_DECLINED", "the card is blocked", variables={"balance": [1.5, None]})

    assert await execution(fail(error)).run(a_job()) == ErrorThrown(
        "CARD_DECLINED", "the card is blocked", {"balance": [1.5, None]}
    )


@pytest.mark.parametrize("value", [float("nan"), object(), {1, 2}, datetime.now(UTC)])
async def test_a_bpmn_error_with_variables_that_are_not_json_fails_the_job(value):
    outcome = await execution(raising(BpmnError("CODE", variables={"value": value}))).run(a_job())

    assert isinstance(outcome, Failed)
    assert outcome.retries == 2
    assert "the variables of BPMN error 'CODE' are not JSON" in outcome.message


async def test_variables_of_a_bpmn_error_that_json_has_other_words_for_are_translated():
    error = BpmnError("CODE", variables={"pair": (1, 2)})

    assert await execution(raising(error)).run(a_job()) == ErrorThrown("CODE", "", {"pair": [1, 2]})


# Exceptions


@pytest.mark.parametrize("fail", [raising, raising_later])
@pytest.mark.parametrize(("retries", "left", "wait"), [(3, 2, 8), (2, 1, 16)])
async def test_an_exception_takes_a_retry_and_backs_off_longer_each_time(fail, retries, left, wait):
    outcome = await execution(fail(ValueError("no good"))).run(a_job(retries=retries))

    assert outcome == Failed("ValueError: no good", retries=left, backoff=timedelta(seconds=wait))


async def test_the_last_exception_leaves_no_retries_and_its_own_message():
    assert await execution(raising(KeyError("id"))).run(a_job(retries=1)) == Failed("KeyError: 'id'", retries=0)


async def test_an_exception_without_words_is_called_by_its_name():
    outcome = await execution(raising(ZeroDivisionError())).run(a_job(retries=1))

    assert outcome == Failed("ZeroDivisionError: ZeroDivisionError", retries=0)


async def test_a_very_long_message_is_cut():
    outcome = await execution(raising(ValueError("x" * 100_000))).run(a_job())

    assert isinstance(outcome, Failed)
    assert len(outcome.message) < 8_100
    assert outcome.message.endswith("… (cut)")


@pytest.mark.parametrize("fail", [raising, raising_later])
@pytest.mark.parametrize("error", [StopIteration("empty"), SystemExit(3), asyncio.CancelledError(), MemoryError()])
async def test_whatever_a_tde_raises_fails_its_job_and_not_its_worker(fail, error):
    async with asyncio.timeout(5):
        outcome = await execution(fail(error)).run(a_job())

    assert isinstance(outcome, Failed)
    assert outcome.retries == 2
    assert type(error).__name__ in outcome.message


async def test_a_sync_function_that_interrupts_fails_its_job():
    outcome = await execution(raising(KeyboardInterrupt()), time_limit=timedelta(seconds=5)).run(a_job())

    assert isinstance(outcome, Failed)
    assert "KeyboardInterrupt" in outcome.message


async def test_a_sync_tde_that_exits_fails_its_job():
    def leave(data: In) -> Out:
        sys.exit("bye")

    outcome = await execution(leave, time_limit=timedelta(seconds=5)).run(a_job())

    assert isinstance(outcome, Failed)
    assert "bye" in outcome.message


async def test_cancelling_the_run_is_raised_and_no_outcome():
    begun = asyncio.Event()

    async def work(data: In) -> Out:
        begun.set()
        await asyncio.Event().wait()
        return Out()

    running = asyncio.create_task(execution(work).run(a_job()))
    await begun.wait()
    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running


# Task headers


@pytest.mark.parametrize("error", [GiveUp("no such customer"), ValueError("no good")])
async def test_with_the_header_error_code_a_final_failure_is_that_bpmn_error(error):
    outcome = await execution(raising(error)).run(a_job(retries=1, headers={"errorCode": "LOOKUP_FAILED"}))

    assert isinstance(outcome, ErrorThrown)
    assert outcome.code == "LOOKUP_FAILED"
    assert str(error) in outcome.message
    assert outcome.variables == {"errorCode": "LOOKUP_FAILED", "errorMessage": outcome.message}


async def test_with_the_header_error_code_a_wrong_input_is_that_bpmn_error():
    outcome = await execution(returning(Out())).run(a_job(count="many", headers={"errorCode": "BAD_INPUT"}))

    assert isinstance(outcome, ErrorThrown)
    assert outcome.code == "BAD_INPUT"
    assert "input 'count' is wrong" in outcome.message


async def test_with_the_header_error_code_retries_come_first():
    outcome = await execution(raising(ValueError("no good"))).run(a_job(headers={"errorCode": "LOOKUP_FAILED"}))

    assert outcome == Failed("ValueError: no good", retries=2, backoff=timedelta(seconds=8))


async def test_a_tdes_own_bpmn_error_keeps_its_code():
    outcome = await execution(raising(BpmnError("MINE"))).run(a_job(retries=1, headers={"errorCode": "HEADERS"}))

    assert outcome == ErrorThrown("MINE")


async def test_the_header_retry_backoff_is_the_wait_between_attempts():
    outcome = await execution(raising(ValueError("x"))).run(a_job(headers={"retryBackoff": "PT2M"}))

    assert outcome == Failed("ValueError: x", retries=2, backoff=timedelta(minutes=2))


async def test_the_header_retry_backoff_does_not_overrule_the_tdes_own_wait():
    error = RetryLater("busy", after=timedelta(seconds=3))
    outcome = await execution(raising(error)).run(a_job(headers={"retryBackoff": "PT2M"}))

    assert outcome == Failed("busy", retries=2, backoff=timedelta(seconds=3))


@pytest.mark.parametrize("text", ["soon", "-PT5S"])
async def test_a_header_retry_backoff_that_is_no_duration_is_ignored_and_logged(text, caplog):
    outcome = await execution(raising(ValueError("x"))).run(a_job(headers={"retryBackoff": text}))

    assert outcome == Failed("ValueError: x", retries=2, backoff=timedelta(seconds=8))
    assert f"header retryBackoff is {text!r}, not an ISO 8601 duration" in caplog.text
    assert "Task_1" in caplog.text


# Time limits


async def test_an_async_function_is_stopped_at_its_time_limit():
    stopped = asyncio.Event()

    async def hang(data: In) -> Out:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return Out()

    outcome = await execution(hang, time_limit=A_WHILE).run(a_job())

    assert outcome == Failed(
        "'some' gave no result within its time limit of 0.05 s", retries=2, backoff=timedelta(seconds=8)
    )
    assert stopped.is_set()


async def test_a_sync_function_that_hangs_is_left_behind_at_its_time_limit():
    let_go = threading.Event()

    def hang(data: In) -> Out:
        let_go.wait(10)
        return Out(value="too late")

    try:
        outcome = await execution(hang, time_limit=A_WHILE).run(a_job(retries=1))
    finally:
        let_go.set()

    assert outcome == Failed("'some' gave no result within its time limit of 0.05 s", retries=0)


async def test_what_a_function_left_behind_returns_in_the_end_disturbs_nobody(caplog):
    let_go, threads = threading.Event(), []

    def hang(data: In) -> Out:
        threads.append(threading.current_thread())
        let_go.wait(10)
        raise ValueError("too late")

    await execution(hang, time_limit=A_WHILE).run(a_job())
    caplog.clear()
    let_go.set()
    await asyncio.to_thread(threads[0].join, 10)
    await asyncio.sleep(0)

    assert not threads[0].is_alive()
    assert caplog.text == ""


@pytest.mark.parametrize("fail", [raising, raising_later])
async def test_a_timeout_that_the_function_raises_itself_keeps_its_own_words(fail):
    outcome = await execution(fail(TimeoutError("the printer did not answer"))).run(a_job())

    assert outcome == Failed("the printer did not answer", retries=2, backoff=timedelta(seconds=8))


async def test_a_function_may_catch_its_own_time_outs():
    async def patient(data: In) -> Out:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.001):
                await asyncio.Event().wait()
        return Out(value="went on")

    assert await execution(patient).run(a_job()) == Completed({"value": "went on"})


# Results that are no results


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
async def test_a_number_that_json_does_not_have_fails_the_job_in_a_typed_field_too(value):
    class Measured(BaseModel):
        celsius: float

    def measure(data: In) -> Measured:
        return Measured(celsius=value)

    outcome = await execution(measure).run(a_job())

    assert isinstance(outcome, Failed)
    assert outcome.message.startswith("TypeError: 'some' returned something that is not JSON: ")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [{"deep": float("-inf")}], object(), {1: object()}])
async def test_a_result_that_is_not_json_fails_the_job(value):
    outcome = await execution(returning(Out(value=value))).run(a_job())

    assert isinstance(outcome, Failed)
    assert outcome.retries == 2
    assert outcome.message.startswith("TypeError: 'some' returned something that is not JSON: ")


@pytest.mark.parametrize(("value", "kind"), [(In(), "In"), ({"value": 1}, "dict"), (None, "NoneType"), ("text", "str")])
async def test_a_result_of_another_type_fails_the_job(value, kind):
    outcome = await execution(returning(value)).run(a_job(retries=1))

    assert outcome == Failed(f"TypeError: 'some' returned {kind}, which is not the Out that it declares", retries=0)


async def test_a_result_where_none_was_declared_fails_the_job():
    def nothing(data: In) -> None:
        return Out()  # type: ignore[return-value]

    outcome = await execution(nothing).run(a_job(retries=1))

    assert outcome == Failed("TypeError: 'some' returned Out, which is not the None that it declares", retries=0)


async def test_a_result_that_is_no_json_object_fails_the_job():
    class Names(RootModel[list[str]]):
        pass

    def names(data: In) -> Names:
        return Names(["a"])

    outcome = await execution(names).run(a_job())

    assert isinstance(outcome, Failed)
    assert "'some' returned a list, variables are a JSON object" in outcome.message


async def test_a_result_that_holds_itself_fails_the_job():
    endless: list[Any] = []
    endless.append(endless)

    outcome = await execution(returning(Out(value=endless))).run(a_job())

    assert isinstance(outcome, Failed)
    assert "not JSON" in outcome.message


# Secrets


def echo(data: In) -> Out:
    return Out(value={"said": f"<{data.name}>", data.name: [data.name]})


async def test_a_secret_reaches_the_function_and_not_the_result():
    seen: list[str] = []

    def look(data: In, context: TaskContext[NoConfig]) -> Out:
        seen.extend([data.name, context.headers["auth"]])
        return echo(data)

    variables = {"name": "{{secrets.TOKEN}}", "headers": {"auth": "Bearer {{secrets.TOKEN}}"}}
    outcome = await execution(look, secrets={"TOKEN": TOKEN}).run(a_job(**variables))

    reference = "{{secrets.TOKEN}}"
    assert seen == [TOKEN, f"Bearer {TOKEN}"]
    assert outcome == Completed({"value": {"said": f"<{reference}>", reference: [reference]}})


async def test_a_secret_is_resolved_at_any_depth():
    class Deep(BaseModel):
        request: dict[str, Any]

    seen: list[dict[str, Any]] = []

    def look(data: Deep) -> None:
        seen.append(data.request)

    await execution(look, secrets={"TOKEN": TOKEN}).run(a_job(request={"a": [{"b": "{{secrets.TOKEN}}"}]}))

    assert seen == [{"a": [{"b": TOKEN}]}]


async def test_an_unknown_secret_fails_for_good_and_is_named():
    outcome = await execution(echo).run(a_job(name="{{secrets.NOPE}}"))

    assert isinstance(outcome, Failed)
    assert outcome.retries == 0
    assert "there is no secret 'NOPE'" in outcome.message


async def test_a_secret_stays_out_of_error_messages_and_logs(caplog):
    def fail(data: In) -> Out:
        raise ValueError(f"cannot log in with {data.name}")

    caplog.handler.addFilter(secret_mask)
    outcome = await execution(fail, secrets={"TOKEN": TOKEN}).run(a_job(retries=1, name="{{secrets.TOKEN}}"))
    caplog.handler.removeFilter(secret_mask)

    assert outcome == Failed("ValueError: cannot log in with {{secrets.TOKEN}}", retries=0)
    assert "cannot log in with ***" in caplog.text
    assert TOKEN not in caplog.text


async def test_a_secret_stays_out_of_bpmn_errors():
    def fail(data: In) -> Out:
        raise BpmnError("DENIED", f"denied for {data.name}", variables={"tried": ({"with": data.name},)})

    outcome = await execution(fail, secrets={"TOKEN": TOKEN}).run(a_job(name="{{secrets.TOKEN}}"))

    assert outcome == ErrorThrown("DENIED", "denied for {{secrets.TOKEN}}", {"tried": [{"with": "{{secrets.TOKEN}}"}]})


async def test_a_secret_stays_out_of_the_error_that_a_header_asks_for():
    outcome = await execution(raising(ValueError(f"bad {TOKEN}")), secrets={"TOKEN": TOKEN}).run(
        a_job(retries=1, name="{{secrets.TOKEN}}", headers={"errorCode": "FAILED"})
    )

    message = "ValueError: bad {{secrets.TOKEN}}"
    assert outcome == ErrorThrown("FAILED", message, {"errorCode": "FAILED", "errorMessage": message})


async def test_a_secret_in_a_wrong_input_stays_out_of_the_message():
    outcome = await execution(echo, secrets={"TOKEN": TOKEN}).run(a_job(count="{{secrets.TOKEN}}"))

    assert isinstance(outcome, Failed)
    assert TOKEN not in outcome.message


async def test_a_secret_that_was_rotated_is_seen_by_the_next_job():
    secrets = {"TOKEN": "first-1111"}
    seen: list[str] = []

    def look(data: In) -> None:
        seen.append(data.name)

    runner = execution(look, secrets=secrets)
    await runner.run(a_job(name="{{secrets.TOKEN}}"))
    secrets["TOKEN"] = "second-2222"
    await runner.run(a_job(name="{{secrets.TOKEN}}"))

    assert seen == ["first-1111", "second-2222"]


# Logs


async def test_a_failure_is_logged_with_the_job_and_its_traceback(caplog):
    await execution(raising(ValueError("no good"))).run(a_job())

    assert "job 7 (tde.some, element 'Task_1') failed: no good" in caplog.text
    assert "Traceback" in caplog.text


async def test_what_a_tde_raises_on_purpose_is_logged_without_a_traceback(caplog):
    await execution(raising(GiveUp("no such customer"))).run(a_job())

    assert "gives up: no such customer" in caplog.text
    assert "Traceback" not in caplog.text


async def test_the_contexts_logger_names_the_tde(caplog):
    def speak(data: In, context: TaskContext[NoConfig]) -> None:
        context.logger.info("at work")

    with caplog.at_level(logging.INFO):
        await execution(speak).run(a_job())

    assert [(record.name, record.getMessage()) for record in caplog.records] == [("procos.tde.some", "at work")]
