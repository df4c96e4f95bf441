"""`@tde`: what it reads from a function, and what it refuses."""

import asyncio
import functools
import importlib.util
import inspect
import textwrap
from collections.abc import Awaitable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Optional

import pytest
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field, RootModel
from pydantic.alias_generators import to_camel

from procos import sdk
from procos.sdk import PluginError, RetryPolicy, TaskContext, Tde, tde
from procos.sdk.registration import NoConfig


class Person(BaseModel):
    name: str
    age: int = 18


class Greeting(BaseModel):
    text: str


class Politeness(BaseModel):
    title: str = "Dr"


def greet(person: Person) -> Greeting:
    return Greeting(text=f"Hello {person.name}")


def register(function: Any) -> Tde[..., Any]:
    return tde("some", description="Does something")(function)


# A usable TDE


def test_the_defaults_of_a_tde():
    made = register(greet)

    assert (made.name, made.job_type, made.mode) == ("some", "tde.some", "deterministic")
    assert (made.input_model, made.output_model, made.config_model) == (Person, Greeting, NoConfig)
    assert made.takes_context is False
    assert made.time_limit == timedelta(minutes=5)
    assert made.retry == RetryPolicy()


def test_everything_can_be_given():
    retry = RetryPolicy(factor=3)
    made = tde(
        "polite",
        description="Greets",
        job_type="polite:1",
        mode="probabilistic",
        config=Politeness,
        time_limit=timedelta(seconds=3),
        retry=retry,
    )(greet)

    assert (made.job_type, made.mode, made.config_model) == ("polite:1", "probabilistic", Politeness)
    assert (made.time_limit, made.retry) == (timedelta(seconds=3), retry)


def test_a_sync_tde_is_still_the_function_that_it_was():
    made = register(greet)

    assert made.is_async is False
    assert made(Person(name="Ann")).text == "Hello Ann"


def test_an_async_tde_is_still_the_function_that_it_was():
    @tde("later", description="Greets later")
    async def later(person: Person) -> Greeting:
        return greet(person)

    assert later.is_async is True
    assert asyncio.run(later(Person(name="Bob"))).text == "Hello Bob"


@pytest.mark.parametrize("annotation", [Awaitable[Greeting], Coroutine[Any, Any, Greeting]])
def test_a_function_that_returns_an_awaitable_is_read_for_what_it_gives_in_the_end(annotation):
    def soon(person: Person):
        return None

    soon.__annotations__["return"] = annotation

    assert register(soon).output_model is Greeting


def test_a_tde_may_return_nothing():
    def nothing(person: Person) -> None:
        return None

    assert register(nothing).output_model is None


def test_annotated_types_are_the_types_that_they_annotate():
    def documented(person: Annotated[Person, "who"]) -> Annotated[Greeting, "how"]:
        return greet(person)

    made = register(documented)

    assert (made.input_model, made.output_model) == (Person, Greeting)


@pytest.mark.parametrize("annotation", [TaskContext, TaskContext[Politeness], TaskContext[Any]])
def test_a_context_is_taken_with_and_without_its_config_model(annotation):
    def with_context(person: Person, context) -> Greeting:
        return greet(person)

    with_context.__annotations__["context"] = annotation

    assert register(with_context).takes_context is True


def test_annotations_that_are_strings_are_understood(tmp_path: Path):
    source = """
        from __future__ import annotations
        from pydantic import BaseModel
        from procos.sdk import TaskContext, tde

        class Config(BaseModel):
            title: str = "Dr"

        @tde("quoted", description="Greets", config=Config)
        async def quoted(person: Person, context: TaskContext[Config]) -> Greeting:
            return Greeting(text=f"Hello {context.config.title} {person.name}")
    """
    models = "class Person(BaseModel):\n    name: str\nclass Greeting(BaseModel):\n    text: str\n"
    body = textwrap.dedent(source).replace("class Config", f"{models}\nclass Config", 1)
    (tmp_path / "quoted_tde.py").write_text(body, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("quoted_tde", tmp_path / "quoted_tde.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    made = module.quoted

    assert inspect.signature(made.function).parameters["person"].annotation == "Person"
    assert (made.input_model, made.output_model) == (module.Person, module.Greeting)
    assert made.takes_context is True
    assert made.is_async is True


def test_an_async_function_behind_a_decorator_stays_async():
    async def scaled(person: Person) -> Greeting:
        return greet(person)

    @functools.wraps(scaled)
    async def wrapped(person: Person) -> Greeting:
        return await scaled(person)

    assert register(wrapped).is_async is True


# What is refused


@pytest.mark.parametrize("name", ["", "Http", "1st", "-a", "my_tde", "my tde", "ä", "a" * 64, "tde.http", "a\n"])
def test_a_name_that_is_no_name_is_refused(name):
    with pytest.raises(PluginError, match="lower-case letters, digits and hyphens"):
        tde(name, description="x")


def test_no_parameter_or_three_are_refused():
    def none() -> Greeting:
        return Greeting(text="")

    def three(a: Person, b: TaskContext, c: int) -> Greeting:
        return Greeting(text="")

    with pytest.raises(PluginError, match=r"none takes 0 parameters: a TDE takes its input model"):
        register(none)
    with pytest.raises(PluginError, match="three takes 3 parameters"):
        register(three)


def test_parameters_that_cannot_be_given_by_position_are_refused():
    def keyword(person: Person, *, context: TaskContext) -> Greeting:
        return greet(person)

    def rest(*person: Person) -> Greeting:
        return greet(person[0])

    def keywords(**person: Person) -> Greeting:
        return greet(person["person"])

    for function, name in ((keyword, "context"), (rest, "person"), (keywords, "person")):
        with pytest.raises(PluginError, match=f"'{name}'.*position"):
            register(function)


@pytest.mark.parametrize("annotation", [None, dict, dict[str, Any], list[Person], Person | None, int])
def test_an_input_that_is_no_model_is_refused(annotation):
    def wrong(person) -> Greeting:
        return Greeting(text="")

    if annotation is not None:
        wrong.__annotations__["person"] = annotation

    with pytest.raises(PluginError, match="annotate 'person' with a pydantic model"):
        register(wrong)


def test_an_input_without_named_fields_is_refused():
    class Names(RootModel[list[str]]):
        pass

    def count(names: Names) -> Greeting:
        return Greeting(text="")

    with pytest.raises(PluginError, match="annotate 'names' with a pydantic model"):
        register(count)


def test_a_second_parameter_that_is_no_context_is_refused():
    def wrong(person: Person, other: Person) -> Greeting:
        return greet(person)

    with pytest.raises(PluginError, match=r"annotate 'other' with procos\.sdk\.TaskContext"):
        register(wrong)


@pytest.mark.parametrize(
    "annotation",
    [inspect.Parameter.empty, str, dict[str, str], list[Greeting], Greeting | None, Optional[Greeting], Any],  # noqa: UP045 - both ways of writing it
)
def test_a_result_that_is_no_model_is_refused(annotation):
    def wrong(person: Person):
        return None

    if annotation is not inspect.Parameter.empty:
        wrong.__annotations__["return"] = annotation

    with pytest.raises(PluginError, match=r"wrong: annotate what it returns, with a pydantic model or None"):
        register(wrong)


def test_an_annotation_that_names_nothing_is_refused_with_its_name():
    def wrong(person: "Persn") -> Greeting:  # noqa: F821 - the mistake
        return Greeting(text="")

    with pytest.raises(PluginError, match=r"wrong.*'Persn' is not defined"):
        register(wrong)


def test_something_without_annotations_to_read_is_refused():
    with pytest.raises(PluginError, match="its annotations cannot be read"):
        register(functools.partial(greet))


# Variables to fetch


def test_the_variables_are_the_fields_of_the_input_model():
    assert register(greet).variable_names == ("name", "age")


def test_a_model_that_takes_extra_variables_fetches_all():
    class Anything(BaseModel):
        model_config = ConfigDict(extra="allow")
        name: str

    def take(anything: Anything) -> None:
        return None

    assert register(take).variable_names == ()


def test_the_variables_go_by_their_aliases():
    class Order(BaseModel):
        model_config = ConfigDict(alias_generator=to_camel)
        order_id: str
        total: int = Field(alias="sum")
        customer: str = Field(validation_alias="client")
        place: str = Field(validation_alias=AliasChoices("city", AliasPath("address", "town")))

    def take(order: Order) -> None:
        return None

    assert register(take).variable_names == ("orderId", "sum", "client", "city", "address")


def test_a_model_that_may_be_filled_by_name_fetches_names_and_aliases():
    class Order(BaseModel):
        model_config = ConfigDict(populate_by_name=True)
        order_id: str = Field(alias="orderId")
        total: int

    def take(order: Order) -> None:
        return None

    assert register(take).variable_names == ("orderId", "order_id", "total")


# The manifest


def test_the_manifest_describes_the_tde_as_json_schema():
    manifest = tde("greet", description="Greets a person", time_limit=timedelta(seconds=90))(greet).manifest(
        distribution="procos"
    )

    assert manifest.model_dump(mode="json") == {
        "name": "greet",
        "job_type": "tde.greet",
        "description": "Greets a person",
        "mode": "deterministic",
        "input_schema": Person.model_json_schema(),
        "output_schema": Greeting.model_json_schema(mode="serialization"),
        "time_limit": "PT1M30S",
        "attempts": None,
        "secrets": [],
        "examples": [],
        "undo_job_type": None,
        "distribution": "procos",
    }
    assert manifest.input_schema["required"] == ["name"]


def test_the_manifest_of_a_tde_that_returns_nothing():
    def nothing(person: Person) -> None:
        return None

    assert register(nothing).manifest().output_schema == {"type": "null"}


# The package


def test_the_example_of_the_package_works_as_printed():
    namespace: dict[str, Any] = {"__name__": "the_example"}
    example = (sdk.__doc__ or "").partition("\n\n")[2]
    exec(compile(example, "sdk example", "exec"), namespace)  # noqa: S102 - our own text

    assert namespace["greet"](namespace["Person"](name="Ann")).text == "Hello Ann"


def test_the_public_names_are_frozen():
    assert sdk.__all__ == [
        "tde", "Tde", "TaskContext", "RetryPolicy", "BpmnError", "RetryLater", "GiveUp", "PluginError",
    ]  # fmt: skip
    for name in sdk.__all__:
        assert hasattr(sdk, name)
