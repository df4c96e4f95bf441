"""A job is tagged with what its process says of it."""

import pytest

from procos.kernel.heartbeat.tagging import Tagger
from procos.model.definition import TaskElement
from procos.testing.memory_definitions import MemoryDefinitions
from tests.unit.kernel.heartbeat.parts import a_definition, a_job

pytestmark = pytest.mark.anyio

SEND = TaskElement(element_id="send", name="Send the invoice", documentation="By mail", lane="Accounts")


async def test_name_documentation_and_lane_come_from_the_diagram():
    definitions = MemoryDefinitions()
    await definitions.record([a_definition(1, SEND)])
    task = await Tagger(definitions).tag(a_job(amount=3))
    assert (task.name, task.documentation, task.lane) == ("Send the invoice", "By mail", "Accounts")
    assert (task.process_definition_id, task.process_definition_version, task.process_instance_key) == ("order", 2, 3)
    assert (task.inputs, task.headers, task.retries) == ({"amount": 3}, {"a": "b"}, 3)


async def test_the_element_template_is_told_to_the_router():
    definitions = MemoryDefinitions()
    await definitions.record([a_definition(1, SEND.model_copy(update={"template": "procos.tde.http"}))])
    assert (await Tagger(definitions).tag(a_job())).headers == {"a": "b", "modelerTemplate": "procos.tde.http"}


@pytest.mark.parametrize(
    ("element_id", "name"),
    [
        ("sendInvoice", "send Invoice"),
        ("Send_the-invoice2", "Send the invoice 2"),
        ("HTTPCall", "HTTP Call"),
        ("Activity_0x1f3zk", ""),
        ("rechnung_prüfen", "rechnung prüfen"),
        ("請求書", "請求書"),
    ],
)
async def test_without_a_known_diagram_the_element_id_is_read_as_words(element_id: str, name: str):
    assert (await Tagger(MemoryDefinitions()).tag(a_job(element=element_id))).name == name


async def test_the_correlation_id_is_the_variable_or_else_the_instance():
    tagger = Tagger(MemoryDefinitions())
    assert (await tagger.tag(a_job(correlationId="order-7"))).correlation_id == "order-7"
    assert (await tagger.tag(a_job())).correlation_id == "3"
    assert (await tagger.tag(a_job(correlationId=""))).correlation_id == "3"


async def test_a_definition_is_looked_up_once(monkeypatch: pytest.MonkeyPatch):
    definitions = MemoryDefinitions()
    await definitions.record([a_definition(1, SEND)])
    tagger = Tagger(definitions)
    await tagger.tag(a_job())
    monkeypatch.setattr(tagger, "_definitions", None)
    assert (await tagger.tag(a_job())).name == "Send the invoice"
