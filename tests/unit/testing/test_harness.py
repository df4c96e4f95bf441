"""A TDE in the harness: what its author reads when it works, and when it does not."""

import asyncio
import gc
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from procos.errors import BpmnError, GiveUp, RetryLater, SettingsError
from procos.model.job import Completed
from procos.sdk import RetryPolicy, TaskContext, tde
from procos.testing import TdeHarness


class In(BaseModel):
    name: str
    greeting: str = "Hello"


class Out(BaseModel):
    text: str


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")
    mark: str = "!"


@tde("greet", description="Greets")
def greet(data: In) -> Out:
    return Out(text=f"{data.greeting} {data.name}")


@tde("outcome", description="Ends as its input says", secrets=["*"])
def end_as_told(data: In) -> None:
    match data.name:
        case "error":
            raise BpmnError("CODE", "why", variables={"a": 1})
        case "give up":
            raise GiveUp("no use")
        case "later":
            raise RetryLater("not now", after=timedelta(hours=1), keep_retries=True)
        case "break":
            raise ValueError(f"broken: {data.greeting}")


def test_a_result_is_read_as_the_model_and_as_json() -> None:
    result = TdeHarness(greet).run_sync({"name": "Ünïcode", "not asked for": 1})
    assert result.output == Out(text="Hello Ünïcode")
    assert result.variables == {"text": "Hello Ünïcode"}
    assert result.outcome == Completed({"text": "Hello Ünïcode"})


@pytest.mark.anyio
async def test_an_async_tde_runs_on_the_tests_own_loop() -> None:
    loops = []

    @tde("loop", description="Notes its loop")
    async def note(_: In) -> Out:
        loops.append(asyncio.get_running_loop())
        return Out(text="done")

    assert (await TdeHarness(note).run({"name": "a"})).output.text == "done"
    assert loops == [asyncio.get_running_loop()]


def test_the_input_may_be_the_model() -> None:
    assert TdeHarness(greet).run_sync(In(name="Ada", greeting="Hi")).output.text == "Hi Ada"


def test_a_missing_input_is_a_failure_that_names_it() -> None:
    failure = TdeHarness(greet).run_sync().failure
    assert (failure.message, failure.retries) == ("input 'name' is missing, expected string", 0)


def test_variables_that_no_process_can_hold_are_the_tests_mistake() -> None:
    with pytest.raises(TypeError, match="not JSON, which is all that a process holds"):
        TdeHarness(greet).run_sync({"name": object()})


def test_variables_are_as_the_engine_would_hand_them_out() -> None:
    class Anything(BaseModel):
        value: Any

    @tde("type", description="Names a type")
    def name_type(data: Anything) -> Out:
        return Out(text=type(data.value).__name__)

    assert TdeHarness(name_type).run_sync({"value": (1, 2)}).output.text == "list"


@pytest.mark.parametrize(
    ("name", "attribute", "message"),
    [
        ("fine", "failure", "the job was not failed: it was completed with {}"),
        ("fine", "bpmn_error", "the job was not ended by a BPMN error: it was completed with {}"),
        ("error", "variables", "the job was not completed: it threw the BPMN error 'CODE': why"),
        ("give up", "output", "the job was not completed: it failed, with 0 retries left: no use"),
        ("break", "bpmn_error", "it failed, with 2 retries left: ValueError: broken: Hello"),
    ],
)
def test_what_a_test_did_not_expect_is_told_to_it(name: str, attribute: str, message: str) -> None:
    result = TdeHarness(end_as_told).run_sync({"name": name})
    with pytest.raises(AssertionError) as told:
        getattr(result, attribute)
    assert message in str(told.value)


def test_a_bpmn_error_shows_code_message_and_variables() -> None:
    error = TdeHarness(end_as_told).run_sync({"name": "error"}).bpmn_error
    assert (error.code, error.message, error.variables) == ("CODE", "why", {"a": 1})


def test_a_tde_without_output_has_none() -> None:
    assert TdeHarness(end_as_told).run_sync({"name": "fine"}).output is None


def test_a_model_that_does_not_read_what_it_writes_says_so() -> None:
    class OneWay(BaseModel):
        text: str = Field(validation_alias="in", serialization_alias="out")

    @tde("one-way", description="Writes")
    def write(_: In) -> OneWay:
        return OneWay.model_validate({"in": "x"})

    result = TdeHarness(write).run_sync({"name": "a"})
    assert result.variables == {"out": "x"}
    with pytest.raises(AssertionError, match=r"OneWay does not read what it writes .* look at `variables`"):
        _ = result.output


def test_secrets_go_in_and_come_out_as_references() -> None:
    harness = TdeHarness(end_as_told, secrets={"word": "sesame-5"})
    message = harness.run_sync({"name": "break", "greeting": "{{secrets.word}}"}).failure.message
    assert message == "ValueError: broken: {{secrets.word}}"


def test_a_secret_of_the_machine_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROCOS_SECRET_word", "of the machine")
    failure = TdeHarness(end_as_told).run_sync({"name": "{{secrets.word}}"}).failure
    assert "there is no secret 'word'" in failure.message


def test_headers_retries_and_correlation_id_reach_the_function() -> None:
    seen: list[TaskContext] = []

    @tde("look", description="Looks")
    def look(_: In, context: TaskContext) -> None:
        seen.append(context)

    harness = TdeHarness(look)
    assert harness.run_sync(
        {"name": "a"}, headers={"h": "1"}, correlation_id="c-7", attempt=2, saved={"page": 3}
    ).variables == {}  # fmt: skip
    (context,) = seen
    assert (context.headers, context.correlation_id, context.attempt, context.saved) == (
        {"h": "1"}, "c-7", 2, {"page": 3},
    )  # fmt: skip


def test_the_settings_are_the_models_defaults_or_those_given() -> None:
    @tde("mark", description="Marks", config=Settings)
    def mark(data: In, context: TaskContext[Settings]) -> Out:
        return Out(text=data.name + context.config.mark)

    assert TdeHarness(mark).run_sync({"name": "a"}).output.text == "a!"
    assert TdeHarness(mark, config={"mark": "?"}).run_sync({"name": "a"}).output.text == "a?"
    assert TdeHarness(mark, config=Settings(mark=".")).run_sync({"name": "a"}).output.text == "a."
    with pytest.raises(SettingsError, match="TDE 'mark': setting 'colour' is wrong"):
        TdeHarness(mark, config={"colour": "red"})
    with pytest.raises(SettingsError, match="takes its settings as Settings, not In"):
        TdeHarness(mark, config=In(name="a"))


def test_what_is_no_tde_is_refused() -> None:
    with pytest.raises(TypeError, match="a TDE is what @tde makes of a function; this is function"):
        TdeHarness(greet.function)  # type: ignore[type-var]


def test_the_folder_is_the_tests_or_goes_with_the_harness(tmp_path: Path) -> None:
    @tde("keep", description="Keeps a file")
    def keep(data: In, context: TaskContext) -> Out:
        context.data_folder.mkdir(parents=True)
        (context.data_folder / "kept").write_text(data.name)
        return Out(text=str(context.data_folder))

    assert TdeHarness(keep, data_folder=tmp_path / "mine").run_sync({"name": "a"}).output.text == str(tmp_path / "mine")
    harness = TdeHarness(keep)
    own = Path(harness.run_sync({"name": "a"}).output.text)
    assert own == harness.data_folder
    assert (own / "kept").is_file()
    del harness
    gc.collect()
    assert not own.parent.exists()


@pytest.mark.anyio
async def test_a_job_runs_to_its_end_without_waiting_and_keeps_its_progress() -> None:
    seen: list[tuple[int, Any]] = []

    @tde("steps", description="Goes step by step", retry=RetryPolicy(first_backoff=timedelta(minutes=1), jitter=0))
    def step(_: In, context: TaskContext) -> Out:
        seen.append((context.attempt, context.saved))
        context.progress((context.saved or 0) + 1)
        if context.attempt < 3:
            raise ValueError("not yet")
        return Out(text="done")

    first, second, last = await TdeHarness(step).run_to_end({"name": "a"})
    assert seen == [(1, None), (2, 1), (3, 2)]
    assert [first.failure.backoff, second.failure.backoff] == [timedelta(minutes=1), timedelta(minutes=2)]
    assert (last.output.text, last.attempt, last.progress) == ("done", 3, 3)


@pytest.mark.anyio
async def test_a_job_that_only_waits_uses_up_no_attempt_and_is_given_up_by_the_harness() -> None:
    with pytest.raises(AssertionError, match=r"has not ended after 100 attempts; the last: .*not now"):
        await TdeHarness(end_as_told).run_to_end({"name": "later"})


@pytest.mark.anyio
async def test_retries_are_those_of_the_process() -> None:
    attempts = await TdeHarness(end_as_told).run_to_end({"name": "break"}, retries=5)
    assert [attempt.failure.retries for attempt in attempts] == [4, 3, 2, 1, 0]


def test_a_run_over_its_time_limit_has_failed() -> None:
    @tde("slow", description="Hangs", time_limit=timedelta(milliseconds=20))
    async def hang(_: In) -> None:
        await asyncio.Event().wait()

    assert "gave no result within its time limit of 0.02 s" in TdeHarness(hang).run_sync({"name": "a"}).failure.message
