"""Variables too large for the engine: put away on their way out, brought back on their way in."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from procos.errors import BpmnError, StoreError
from procos.model.job import Completed, ErrorThrown, Failed
from procos.runtime.execution import Execution
from procos.runtime.large_variables import LargeVariables, has_reference
from procos.sdk.registration import NoConfig
from procos.testing.memory_objects import MemoryObjects
from tests.unit.runtime.a_job import a_job
from tests.unit.runtime.workers import tde_of

pytestmark = pytest.mark.anyio

LIMIT = 1000
HASH = "0" * 64


async def put_away(store: MemoryObjects, **variables: Any) -> dict[str, Any]:
    return await LargeVariables(store, largest_payload=LIMIT).put_away(variables, len(json.dumps(variables)))


def reference(sha256: str = HASH, **changes: Any) -> dict[str, Any]:
    return {"procosObject": f"sha256:{sha256}", "size": 3, "mediaType": "application/json", **changes}


# Out


async def test_what_is_small_goes_as_it_is():
    store = MemoryObjects()
    variables = {"text": "x" * (LIMIT // 4 - 20), "n": 1}

    assert await put_away(store, **variables) == variables
    assert len(store) == 0


async def test_what_is_exactly_as_large_as_allowed_goes_as_it_is():
    store = MemoryObjects()
    variables = {"text": "x" * (LIMIT - 2)}

    assert await put_away(store, **variables) == variables
    assert len(store) == 0


async def test_one_byte_more_is_put_away():
    store = MemoryObjects()
    kept = await put_away(store, text="x" * (LIMIT - 1))

    assert kept["text"].keys() == {"procosObject", "size", "mediaType"}
    assert (kept["text"]["size"], kept["text"]["mediaType"]) == (LIMIT + 1, "application/json")
    assert (
        await store.get(kept["text"]["procosObject"].removeprefix("sha256:")) == json.dumps("x" * (LIMIT - 1)).encode()
    )


async def test_the_largest_are_put_away_until_the_rest_is_small_enough():
    store = MemoryObjects()
    kept = await put_away(store, a="a" * 400, b="b" * 3000, c="c" * 500, d="d" * 450)

    assert has_reference(kept["b"])
    assert has_reference(kept["c"])
    assert (kept["a"], kept["d"]) == ("a" * 400, "d" * 450)
    assert len(store) == 2


async def test_one_large_variable_leaves_the_small_ones():
    kept = await put_away(MemoryObjects(), small=1, large=["x" * 300] * 5, other="y" * 100)

    assert (kept["small"], kept["other"]) == (1, "y" * 100)
    assert has_reference(kept["large"])


async def test_letters_count_by_their_bytes():
    kept = await put_away(MemoryObjects(), text="ä" * 200)

    assert has_reference(kept["text"]), "200 letters, and 1202 bytes of JSON"


async def test_what_was_given_is_not_changed():
    variables = {"text": "x" * 5000}
    await LargeVariables(MemoryObjects(), largest_payload=LIMIT).put_away(variables, 5000)

    assert variables == {"text": "x" * 5000}


async def test_a_store_that_fails_is_said_so():
    class Full(MemoryObjects):
        async def put(self, content: bytes, *, media_type: str) -> Any:
            raise StoreError(f"no space for {len(content)} bytes of {media_type}")

    with pytest.raises(StoreError, match="no space"):
        await put_away(Full(), text="x" * 5000)


# In


async def test_what_was_put_away_comes_back():
    store = MemoryObjects()
    variables = {"a": {"deep": ["ä" * 400, None, 1.5]}, "b": "x" * 3000, "c": [{"n": 1}] * 300, "d": True}
    kept = await put_away(store, **variables)

    assert kept != variables
    assert await LargeVariables(store).bring_back(kept) == variables


async def test_a_reference_inside_another_value_comes_back_too():
    store = MemoryObjects()
    stored = await store.put(b'{"page": 1}', media_type="application/json")
    given = {"output": {"pages": [reference(stored.sha256, size=11), 2], "same": reference(stored.sha256)}, "n": [1]}

    assert has_reference(given)
    assert await LargeVariables(store).bring_back(given) == {
        "output": {"pages": [{"page": 1}, 2], "same": {"page": 1}},
        "n": [1],
    }


async def test_an_object_that_is_not_there_is_named_with_what_may_be_wrong():
    with pytest.raises(StoreError) as caught:
        await LargeVariables(MemoryObjects()).bring_back({"a": [reference(size=7_000_000)]})

    assert "an object of 7000000 bytes that cannot be read: there is no object" in str(caught.value)
    assert "use the same object store" in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        {"procosObject": f"sha256:{HASH}"},
        reference(extra=1),
        reference(mediaType="image/png"),
        reference(procosObject=f"md5:{HASH}"),
        reference(procosObject="sha256:../../etc/passwd"),
        reference(procosObject=f"sha256:{HASH}0"),
        reference(procosObject=f"sha256:{HASH}\n"),
        reference(procosObject=7),
        reference(procosObject=None),
        {},
        [],
        "sha256:" + HASH,
    ],
)
async def test_what_only_looks_like_a_reference_stays_as_it_is(value):
    assert not has_reference({"a": value})
    assert await LargeVariables(MemoryObjects()).bring_back({"a": [value]}) == {"a": [value]}


# Through an execution


class In(BaseModel):
    text: str = ""


class Out(BaseModel):
    text: str


def execution(function: Any, store: MemoryObjects, **secrets: str) -> Execution:
    large = LargeVariables(store, largest_payload=LIMIT)
    return Execution(
        tde=tde_of(function), config=NoConfig(), secrets=secrets, data_folder=Path("/srv"), large_variables=large
    )


async def test_a_function_gets_what_a_reference_stands_for_and_its_large_result_goes_as_one():
    def double(data: In) -> Out:
        return Out(text=data.text * 2)

    store = MemoryObjects()
    stored = await store.put(json.dumps("y" * 800).encode(), media_type="application/json")
    outcome = await execution(double, store).run(a_job(text=reference(stored.sha256, size=802)))

    assert isinstance(outcome, Completed)
    assert has_reference(outcome.variables["text"])
    assert await LargeVariables(store).bring_back(outcome.variables) == {"text": "y" * 1600}


async def test_the_large_variables_of_a_bpmn_error_go_as_references():
    def fail(data: In) -> Out:
        raise BpmnError("CODE", "why", variables={"log": "z" * 5000, "n": 1})

    store = MemoryObjects()
    outcome = await execution(fail, store).run(a_job())

    assert isinstance(outcome, ErrorThrown)
    assert (outcome.code, outcome.message, outcome.variables["n"]) == ("CODE", "why", 1)
    assert has_reference(outcome.variables["log"])


async def test_secrets_are_taken_out_before_anything_is_stored():
    def echo(data: In) -> Out:
        return Out(text=data.text * 100)

    store = MemoryObjects()
    outcome = await execution(echo, store, TOKEN="tok-5a5b5c5d").run(a_job(text="{{secrets.TOKEN}}"))

    assert isinstance(outcome, Completed)
    assert await LargeVariables(store).bring_back(outcome.variables) == {"text": "{{secrets.TOKEN}}" * 100}


async def test_an_object_that_is_not_there_fails_the_job_and_leaves_it_its_retries():
    def never(data: In) -> Out:
        raise AssertionError("must not run")

    outcome = await execution(never, MemoryObjects()).run(a_job(text=reference()))

    assert isinstance(outcome, Failed)
    assert outcome.retries == 2
    assert outcome.message.startswith("a variable stands for an object of 3 bytes that cannot be read")


async def test_a_result_that_cannot_be_stored_fails_the_job_and_leaves_it_its_retries():
    class Full(MemoryObjects):
        async def put(self, content: bytes, *, media_type: str) -> Any:
            raise StoreError(f"no space for {len(content)} bytes of {media_type}")

    def large(data: In) -> Out:
        return Out(text="x" * 5000)

    outcome = await execution(large, Full()).run(a_job())

    assert outcome == Failed("no space for 5002 bytes of application/json", retries=2)
