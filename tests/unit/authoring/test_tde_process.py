"""The process that is generated for a TDE: readable by Camunda's own tools, drawn in full, and nothing overlaps."""

import itertools
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from procos.authoring import feel
from procos.authoring.tde_process import process_id, tde_process
from procos.kernel.plugins import discover
from procos.model.tde import TdeManifest
from procos.sdk import RetryPolicy, tde
from tests.house.drawing import NS, Drawing
from tests.servers.node_tools import process_problems

BUNDLED = [found.tde.manifest() for found in discover().tdes if found.distribution == "procos"]


class Order(BaseModel):
    item: str


class Reserved(BaseModel):
    left: int
    note: str | None = None


@tde("reserve", description="Takes one from the stock")
def reserve(order: Order) -> Reserved:
    return Reserved(left=1)


def manifest_of(output: type[BaseModel] | None, **options: Any) -> TdeManifest:
    def work(order: Order) -> None: ...

    work.__annotations__ = {"order": Order, "return": output}
    return tde("probe", description="Probes", **options)(work).manifest()


def with_undo(undo_job_type: str | None) -> TdeManifest:
    return reserve.manifest().model_copy(update={"undo_job_type": undo_job_type})


@pytest.fixture(params=[None, "tde.reserve.undo"], ids=["plain", "with-undo"])
def text(request: pytest.FixtureRequest) -> str:
    return tde_process(with_undo(request.param))


@pytest.fixture
def drawing(text: str) -> Drawing:
    return Drawing(text)


@pytest.mark.parametrize("manifest", BUNDLED, ids=lambda it: it.name)
def test_camundas_own_tools_read_the_processes_of_the_bundled_tdes_and_find_nothing(manifest: TdeManifest) -> None:
    assert process_problems(tde_process(manifest)) == []


def test_camundas_own_tools_find_nothing(text: str) -> None:
    assert process_problems(text) == []


def test_those_tools_do_find_what_is_wrong(text: str) -> None:
    assert process_problems(text.replace("<bpmn:outgoing>input-to-begin</bpmn:outgoing>", "")) != []


def test_id_and_name_are_the_tdes(drawing: Drawing) -> None:
    assert drawing.process.get("id") == process_id("reserve") == "tde-reserve"
    assert drawing.process.get("isExecutable") == "true"


def test_every_element_is_drawn_and_nothing_else(drawing: Drawing) -> None:
    assert set(drawing.shapes) | set(drawing.edges) == set(drawing.elements)


def test_incoming_and_outgoing_name_exactly_the_flows(drawing: Drawing) -> None:
    for name, element in drawing.elements.items():
        for tag, end in (("incoming", "targetRef"), ("outgoing", "sourceRef")):
            named = {it.text for it in element.iterfind(f"bpmn:{tag}", NS)}
            flows = {
                link for link, it in drawing.lines.items() if it.tag.endswith("}sequenceFlow") and it.get(end) == name
            }
            assert named == flows, f"{tag} of {name}"


def test_no_two_shapes_or_labels_overlap(drawing: Drawing) -> None:
    attached = {name: it.get("attachedToRef") for name, it in drawing.elements.items() if it.get("attachedToRef")}
    boxes = [*drawing.shapes.items(), *((f"label of {name}", box) for name, box in drawing.labels.items())]
    found = [
        (one, other)
        for (one, a), (other, b) in itertools.combinations(boxes, 2)
        if a.overlaps(b) and attached.get(one) != other and attached.get(other) != one
    ]
    assert found == []


def test_no_line_runs_over_a_label_or_through_a_shape_that_it_does_not_join(drawing: Drawing) -> None:
    over_labels = [
        (line, label) for line, it in drawing.pieces() for label, box in drawing.labels.items() if it.touches(box)
    ]
    through_shapes = [
        (line, shape)
        for line, it in drawing.pieces()
        for shape, box in drawing.shapes.items()
        if it.touches(box) and shape not in _ends(drawing, line)
    ]
    assert over_labels == []
    assert through_shapes == []


def _ends(drawing: Drawing, line: str) -> set[str | None]:
    """What a line joins; one at a boundary event also touches the task below it."""
    ends = {drawing.lines[line].get(end) for end in ("sourceRef", "targetRef")}
    return ends | {drawing.elements[end].get("attachedToRef") for end in ends if end}


def test_lines_begin_and_end_on_the_borders_of_what_they_join(drawing: Drawing) -> None:
    for name, link in drawing.lines.items():
        for end, (px, py) in (("sourceRef", drawing.edges[name][0]), ("targetRef", drawing.edges[name][-1])):
            box = drawing.shapes[link.get(end, "")]
            on_side = px in (box.x, box.x + box.width) and box.y <= py <= box.y + box.height
            on_top = py in (box.y, box.y + box.height) and box.x <= px <= box.x + box.width
            assert on_side or on_top, f"{name} at {end}"


def test_lines_run_along_the_grid_and_none_crosses_another(drawing: Drawing) -> None:
    assert [name for name, box in drawing.pieces() if box.width and box.height] == []
    crossings = [
        (one, other)
        for (one, a), (other, b) in itertools.combinations(drawing.pieces(), 2)
        if one != other and a.touches(b)
    ]
    assert crossings == []


def test_boundary_events_sit_on_the_border_of_execute(drawing: Drawing) -> None:
    execute = drawing.shapes["execute"]
    attached = [name for name, it in drawing.elements.items() if it.get("attachedToRef") == "execute"]
    for name in attached:
        event = drawing.shapes[name]
        middle_x, middle_y = event.x + event.width / 2, event.y + event.height / 2
        assert execute.x < middle_x < execute.x + execute.width
        assert middle_y in (execute.y, execute.y + execute.height)
    assert len(attached) >= 2


def test_compensation_is_there_only_with_an_undo() -> None:
    plain = Drawing(tde_process(reserve.manifest()))
    undone = Drawing(tde_process(with_undo("tde.reserve.undo")))
    assert plain.root.findall(".//bpmn:compensateEventDefinition", NS) == []
    handler = undone.elements["undo"]
    assert handler.get("isForCompensation") == "true"
    task = handler.find(".//zeebe:taskDefinition", NS)
    assert task is not None
    assert task.get("type") == "tde.reserve.undo"


def test_a_failure_is_thrown_unless_the_caller_wants_a_report(text: str) -> None:
    drawing = Drawing(text)
    assert drawing.elements["report"].get("default") == "report-to-give-up"
    condition = drawing.lines["report-to-reported"].find("bpmn:conditionExpression", NS)
    assert condition is not None
    assert condition.text == "=tdeReport = true"
    for end in ("output", "reported"):
        cleared = {
            it.get("target")
            for it in drawing.elements[end].iterfind(".//zeebe:output", NS)
            if it.get("source") == "=null"
        }
        assert ("tdeErrorCode" in cleared) is (end == "output")
        assert {"tdeRound", "tdeOutput"} <= cleared


def test_the_job_asks_for_the_code_and_message_of_what_it_throws(drawing: Drawing) -> None:
    headers = {it.get("key"): it.get("value") for it in drawing.elements["execute"].iterfind(".//zeebe:header", NS)}
    assert headers == {"errorCode": "TDE_FAILED", "errorDetails": "true"}


def test_only_outputs_that_must_be_there_are_asked_for() -> None:
    text = tde_process(with_undo("tde.reserve.undo"))
    assert "tdeKeep = false or tdeOutput.left = null<" in text


def test_outputs_that_no_mapping_can_carry_are_all_left_to_the_job() -> None:
    class Strange(BaseModel):
        plain: str
        other: str = Field(serialization_alias="content-type")

    class Open(BaseModel):
        plain: str
        model_config = ConfigDict(extra="allow")

    for model in (Strange, Open, None):
        text = tde_process(manifest_of(model).model_copy(update={"undo_job_type": "undo"}))
        assert "tdeOutput" not in text
        assert process_problems(text) == []


def test_words_that_feel_keeps_for_itself_are_quoted() -> None:
    class Out(BaseModel):
        function: str

    text = tde_process(manifest_of(Out))
    assert 'source="=`function`" target="tdeOutput.function"' in text
    assert 'source="=tdeOutput.`function`" target="function"' in text


def test_the_retries_are_the_attempts_of_the_tde() -> None:
    def retries(manifest: TdeManifest) -> str | None:
        task = Drawing(tde_process(manifest)).process.find(".//zeebe:taskDefinition", NS)
        return None if task is None else task.get("retries")

    assert retries(manifest_of(None)) == "3"
    assert retries(manifest_of(None, retry=RetryPolicy(attempts=5))) == "5"


def test_a_round_has_time_for_all_attempts() -> None:
    manifest = manifest_of(None, time_limit=timedelta(seconds=90), retry=RetryPolicy(attempts=2))
    assert 'if tdeTimeLimit = null then "PT4M30S" else tdeTimeLimit' in tde_process(manifest)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (timedelta(0), "PT0S"),
        (timedelta(milliseconds=250), "PT0.25S"),
        (timedelta(seconds=90), "PT1M30S"),
        (timedelta(hours=4), "PT4H"),
        (timedelta(days=1), "P1D"),
        (timedelta(days=400, hours=2, seconds=1), "P400DT2H1S"),
    ],
)
def test_durations_are_written_as_people_write_them(value: timedelta, text: str) -> None:
    assert feel.duration(value) == text


def test_text_is_quoted_for_feel() -> None:
    assert feel.text('say "no"\\\n') == '"say \\"no\\"\\\\\\n"'


def test_descriptions_with_any_characters_make_valid_xml() -> None:
    @tde("strange", description='<Ü> & "quoted" ]]> …')
    def strange(order: Order) -> None: ...

    assert process_problems(tde_process(strange.manifest())) == []
