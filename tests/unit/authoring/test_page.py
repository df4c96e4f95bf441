"""A TDE's page, and what the router reads of it."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from procos.authoring import page
from procos.authoring.catalogue_entry import catalogue_entry
from procos.authoring.schema_words import fields_of
from procos.model.catalogue import CatalogueInput
from procos.sdk import RetryPolicy, TaskContext, tde


class Line(BaseModel):
    """One line of an order."""

    item: str = Field(description="What | how much")


class Order(BaseModel):
    lines: list[Line] = Field(description="Its lines.")
    urgent: bool = False
    tags: list[str] = []


class Price(BaseModel):
    net: float = Field(description="Without tax.")


class Config(BaseModel):
    model_config = ConfigDict(extra="forbid")
    currency: str = Field(default="EUR", description="Of all prices.")


@tde(
    "price",
    description="Prices an order",
    config=Config,
    time_limit=timedelta(seconds=20),
    retry=RetryPolicy(attempts=5),
    secrets=["SHOP_*"],
    examples=["What does order 7 cost?"],
)
def price(order: Order, context: TaskContext[Config]) -> Price:
    return Price(net=1)


def test_the_page_says_what_goes_in_and_out_and_what_can_be_set() -> None:
    text = page.page(price)
    assert text.startswith("# price\n\nPrices an order.\n")
    assert "Job type `tde.price`, deterministic, time limit 20 s" in text
    assert "tried 5 times" in text
    assert "`SHOP_*`" in text
    assert "- What does order 7 cost?" in text
    assert "| `lines` | list of `Line` | required | Its lines. |" in text
    assert "| `urgent` | boolean | `false` |  |" in text
    assert "| `tags` | list of text | none |  |" in text
    assert "`Line`: One line of an order." in text
    assert "| `net` | number | Without tax. |" in text
    assert "## Settings `[tde.price]`" in text
    assert "| `currency` | text | `EUR` | Of all prices. |" in text
    assert "procos tde run price --var lines=…" in text


def test_a_bar_in_a_description_does_not_break_the_table() -> None:
    assert "| `item` | text | required | What \\| how much |" in page.page(price)


def test_parts_have_headings_of_the_level_that_is_asked_for() -> None:
    headings = [part for part in page.parts(price, level=3) if part.startswith("#")]
    assert headings == ["### Input", "### Output", "### Settings `[tde.price]`"]


def test_what_takes_nothing_says_so() -> None:
    class Nothing(BaseModel):
        pass

    class Anything(BaseModel):
        model_config = ConfigDict(extra="allow")

    def page_of(model: type[BaseModel]) -> str:
        def work(data: Nothing) -> None: ...

        work.__annotations__ = {"data": model, "return": None}
        return page.page(tde("idle", description="Does nothing")(work))

    assert "## Input\n\nNone.\n" in page_of(Nothing)
    assert "## Input\n\nAny further ones.\n" in page_of(Anything)
    assert "## Output" not in page_of(Nothing)
    assert "## Settings" not in page_of(Nothing)


@pytest.mark.parametrize(
    ("schema", "kind", "nullable"),
    [
        ({"type": "integer", "minimum": 1}, "whole number, ≥ 1", False),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "text", True),
        ({"anyOf": [{"type": "integer"}, {"type": "number"}]}, "number", False),
        ({"anyOf": [{"type": "string"}, {"type": "boolean"}]}, "(text or boolean)", False),
        ({"anyOf": [{"type": "string"}, {"type": "string", "format": "path"}]}, "(text or path)", False),
        ({"enum": ["a", None]}, "a", True),
        ({"enum": ["a", "b"]}, "one of a, b", False),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "object of text", False),
        ({"type": "array"}, "list of any JSON", False),
        ({"$ref": "#/$defs/Line"}, "Line", False),
        ({"$ref": "#/$defs/Color"}, "one of red, blue", False),
        ({}, "any JSON", True),
    ],
)
def test_kinds_are_said_in_words(schema: dict[str, Any], kind: str, nullable: bool) -> None:
    root = {
        "properties": {"value": schema},
        "$defs": {"Line": {"type": "object", "properties": {}}, "Color": {"enum": ["red", "blue"]}},
    }
    (field,) = fields_of(root)
    assert (field.kind, field.nullable) == (kind, nullable)


def test_the_router_reads_plain_text() -> None:
    entry = catalogue_entry(price.manifest())
    assert (entry.name, entry.job_type, entry.process_id) == ("price", "tde.price", "tde-price")
    assert entry.examples == ("What does order 7 cost?",)
    assert entry.inputs[0] == CatalogueInput(name="lines", kind="list of Line", required=True, description="Its lines.")
    assert entry.outputs == ("net",)


def test_the_hash_stays_until_something_that_the_router_reads_changes() -> None:
    manifest = price.manifest()
    entry = catalogue_entry(manifest)
    assert catalogue_entry(manifest.model_copy(update={"time_limit": timedelta(hours=1)})).hash == entry.hash
    for change in ({"description": "Prices two"}, {"examples": ()}, {"mode": "probabilistic"}, {"job_type": "x"}):
        assert catalogue_entry(manifest.model_copy(update=change)).hash != entry.hash


def test_it_can_be_kept_as_json() -> None:
    entry = catalogue_entry(price.manifest())
    assert type(entry).model_validate_json(entry.model_dump_json()) == entry
