"""Element templates: what Camunda's own validator takes, and which control each kind of input gets."""

import json
import urllib.parse
from datetime import timedelta
from enum import Enum, IntEnum
from typing import Any, Literal
from xml.etree import ElementTree as ET

import pytest
from pydantic import BaseModel, ConfigDict, Field

from procos.authoring import task_headers
from procos.authoring.element_template import element_template, label_of
from procos.kernel.plugins import discover
from procos.runtime import retries
from procos.runtime.attempt import USUAL_RETRIES
from procos.sdk import RetryPolicy, tde
from tests.servers.node_tools import template_problems

BUNDLED = [found.tde for found in discover().tdes if found.distribution == "procos"]


class Nothing(BaseModel):
    pass


class Color(Enum):
    RED = "red"
    SIGN = "=sign"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


def template_of(model: type[BaseModel], output: type[BaseModel] = Nothing, **options: Any) -> dict[str, Any]:
    def work(data: Nothing) -> Nothing:
        return data

    work.__annotations__ = {"data": model, "return": output}
    return element_template(tde("probe", description="Probes", **options)(work).manifest())


def bound(template: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """The properties with a binding of that kind, by the name, source or key that they are bound to."""
    found = [it for it in template["properties"] if it["binding"]["type"] == kind]
    return {next(value for key, value in it["binding"].items() if key != "type"): it for it in found}


def control(annotation: Any, *default: Any) -> dict[str, Any]:
    """The property of the one field `value`."""
    model = type(
        "In", (BaseModel,), {"__annotations__": {"value": annotation}, **({"value": default[0]} if default else {})}
    )
    return bound(template_of(model), "zeebe:input")["value"]


@pytest.mark.parametrize("of", BUNDLED, ids=lambda it: it.name)
def test_the_templates_of_the_bundled_tdes_are_valid(of: Any) -> None:
    assert template_problems(element_template(of.manifest())) == []


def test_a_list_of_templates_is_valid() -> None:
    assert template_problems([element_template(it.manifest()) for it in BUNDLED]) == []


def test_every_kind_of_control_is_valid() -> None:
    class AllKinds(BaseModel):
        text: str
        title: str = "a"
        number: int
        share: float | None = None
        wanted: bool
        open: bool | None = None
        color: Literal["red", "green"] = "red"
        level: Level
        things: list[str]
        anything: Any = None
        inner: Nothing | None = None

    template = template_of(AllKinds, AllKinds)
    assert len(bound(template, "zeebe:input")) == len(bound(template, "zeebe:output")) == 11
    assert template_problems(template) == []


def test_a_broken_template_is_told_from_a_valid_one() -> None:
    template = template_of(Nothing)
    template["properties"][0]["binding"] = {"type": "zeebe:taskDefinition"}
    assert template_problems(template) != []


def test_it_makes_a_service_task_of_the_tdes_job_type() -> None:
    template = template_of(Nothing)
    assert template["id"] == "procos.tde.probe"
    assert template["appliesTo"] == ["bpmn:Task"]
    assert template["elementType"] == {"value": "bpmn:ServiceTask"}
    job_type = bound(template, "zeebe:taskDefinition")["type"]
    assert (job_type["type"], job_type["value"]) == ("Hidden", "tde.probe")


def test_the_icon_is_a_picture() -> None:
    contents = template_of(Nothing)["icon"]["contents"]
    kind, _, data = contents.partition(",")
    assert kind == "data:image/svg+xml"
    assert ET.fromstring(urllib.parse.unquote(data)).tag.endswith("}svg")  # noqa: S314 - our own


def test_a_required_text_must_not_be_empty() -> None:
    found = control(str)
    assert (found["type"], found["feel"]) == ("String", "optional")
    assert found["constraints"] == {"notEmpty": True}
    assert "optional" not in found


@pytest.mark.parametrize(("annotation", "default"), [(str, "GET"), (str | None, None), (float, 1.5), (list[str], [])])
def test_what_has_a_default_is_not_sent_when_it_is_empty(annotation: Any, default: Any) -> None:
    found = control(annotation, default)
    assert found["optional"] is True
    assert "value" not in found
    assert "constraints" not in found


def test_a_default_is_told() -> None:
    assert control(str, "GET")["placeholder"] == "GET"
    assert control(float, 1.5)["description"] == "Default: 1.5."


@pytest.mark.parametrize("annotation", [int, float, int | None, float | int])
def test_numbers_have_a_number_field(annotation: Any) -> None:
    assert control(annotation)["type"] == "Number"


@pytest.mark.parametrize("default", [True, False])
def test_a_check_box_shows_and_sends_the_default(default: bool) -> None:
    found = control(bool, default)
    assert (found["type"], found["value"]) == ("Boolean", default)
    assert "optional" not in found


def test_a_boolean_that_may_be_left_open_is_a_choice() -> None:
    found = control(bool | None, None)
    assert found["type"] == "Dropdown"
    assert [it["value"] for it in found["choices"]] == ["=true", "=false"]
    assert found["optional"] is True


@pytest.mark.parametrize(
    ("annotation", "values"),
    [
        (Literal["a", "b"], ["a", "b"]),
        (Literal["a"], ["a"]),
        (Literal["a"] | None, ["a"]),
        (Color, ["red", '="=sign"']),
        (Level | None, ["=1", "=2"]),
    ],
)
def test_enumerations_are_choices_whose_values_are_read_as_meant(annotation: Any, values: list[str]) -> None:
    found = control(annotation)
    assert found["type"] == "Dropdown"
    assert [it["value"] for it in found["choices"]] == values


@pytest.mark.parametrize("annotation", [list[str], dict[str, int], Any, str | int, list[str] | None, Nothing])
def test_everything_else_is_written_as_feel(annotation: Any) -> None:
    found = control(annotation)
    assert (found["type"], found["feel"]) == ("Text", "required")


def test_long_texts_have_a_large_field() -> None:
    class Letter(BaseModel):
        text_body: str
        subject: str

    inputs = bound(template_of(Letter), "zeebe:input")
    assert {name: it["type"] for name, it in inputs.items()} == {"text_body": "Text", "subject": "String"}


def test_fields_are_bound_by_alias_and_labelled_by_the_authors_title() -> None:
    class Order(BaseModel):
        order_id: str = Field(alias="orderId", description="Its number.")
        net: float = Field(title="Net amount (€)")

    inputs = bound(template_of(Order), "zeebe:input")
    assert inputs["orderId"]["label"] == "Order ID"
    assert inputs["orderId"]["description"] == "Its number."
    assert inputs["net"]["label"] == "Net amount (€)"


def test_a_name_that_no_mapping_can_carry_has_no_field() -> None:
    class Strange(BaseModel):
        good: str
        other: str = Field(alias="content-type")

    assert set(bound(template_of(Strange), "zeebe:input")) == {"good"}


def test_outputs_are_mapped_only_where_a_variable_is_named() -> None:
    class Out(BaseModel):
        status: int
        function: str = Field(alias="function")

    template = template_of(Nothing, Out)
    assert template_problems(template) == []
    outputs = bound(template, "zeebe:output")
    assert set(outputs) == {"=status", "=`function`"}
    assert all(it["optional"] for it in outputs.values())


def test_a_group_without_fields_is_not_there() -> None:
    assert [group["id"] for group in template_of(Nothing)["groups"]] == ["errors"]


def test_retries_are_the_tasks_unless_the_tde_decides() -> None:
    usual = bound(template_of(Nothing), "zeebe:taskDefinition")["retries"]
    own_template = template_of(Nothing, retry=RetryPolicy(attempts=7, first_backoff=timedelta(seconds=1)))
    own = bound(own_template, "zeebe:taskDefinition")["retries"]
    assert (usual["type"], usual["value"]) == ("String", "3")
    assert (own["type"], own["value"]) == ("Hidden", "7")
    assert "retryAttempts" in bound(own_template, "zeebe:taskHeader")
    assert template_problems(own_template) == []


def test_the_headers_are_those_that_the_runtime_reads() -> None:
    assert set(bound(template_of(Nothing), "zeebe:taskHeader")) == {"errorCode", "retryBackoff"}
    assert task_headers.RETRY_BACKOFF == retries.RETRY_BACKOFF_HEADER
    assert task_headers.RETRY_ATTEMPTS == retries.RETRY_ATTEMPTS_HEADER
    assert task_headers.USUAL_ATTEMPTS == USUAL_RETRIES


def test_no_two_properties_share_an_id_even_where_an_input_is_named_like_a_header() -> None:
    class In(BaseModel):
        retries: int
        errorCode: str  # noqa: N815 - the header's own name

    template = template_of(In, In)
    ids = [it["id"] for it in template["properties"] if "id" in it]
    assert len(ids) == len(set(ids))
    assert template_problems(template) == []


def test_it_is_json_that_any_editor_can_read() -> None:
    class In(BaseModel):
        größe: str = Field("ü", description='"quoted" \\ and\nbroken')  # noqa: PLC2401
        model_config = ConfigDict(extra="allow")

    template = template_of(In)
    assert json.loads(json.dumps(template)) == template
    assert template_problems(template) == []


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("time_limit_seconds", "Time limit seconds"),
        ("timeLimitSeconds", "Time limit seconds"),
        ("url", "URL"),
        ("json_body", "JSON body"),
        ("send-invoice", "Send invoice"),
        ("x", "X"),
        ("_", "_"),
    ],
)
def test_labels_are_words(name: str, label: str) -> None:
    assert label_of(name) == label
