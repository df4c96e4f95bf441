"""Every BPMN file and element template that ships: sound, documented, drawn so that people can read it."""

import itertools
import json
from pathlib import Path

import pytest

from tests.house.drawing import NS, Drawing, tag
from tests.servers.node_tools import process_problems, template_problems

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "bpmn").rglob("*.bpmn"))
TEMPLATES = sorted((ROOT / "bpmn").rglob("*.json"))
NEWER_THAN_8_5 = ("executionListener", "taskListener", "userTask", "priorityDefinition", "versionTag", "linkedResource")
"""Extension elements of Zeebe's that an 8.5 engine does not know, or that its gRPC clients cannot work on."""


@pytest.fixture(params=FILES, ids=lambda it: it.relative_to(ROOT / "bpmn").as_posix())
def drawing(request: pytest.FixtureRequest) -> Drawing:
    return Drawing.of(request.param)


def test_camundas_own_tools_find_nothing(drawing: Drawing) -> None:
    assert process_problems(drawing.text) == []


def test_uses_only_what_zeebe_8_5_has(drawing: Drawing) -> None:
    newer = [it.tag for name in NEWER_THAN_8_5 for it in drawing.root.iterfind(f".//zeebe:{name}", NS)]
    newer += [it.tag for it in drawing.root.iter() if it.get("bindingType") or it.get("versionTag")]
    assert newer == []
    assert 'executionPlatformVersion="8.5.0"' in drawing.text


def test_every_step_is_documented(drawing: Drawing) -> None:
    steps = [it for it in drawing.nodes.values() if tag(it).endswith(("Task", "Activity", "subProcess", "Event"))]
    plain_ends = {"kernel-ready"}  # its name says all
    bare = [it.get("id") for it in [drawing.process, *steps] if it.find("bpmn:documentation", NS) is None]
    assert set(bare) - plain_ends - generated(drawing) == set()


def generated(drawing: Drawing) -> set[str]:
    """What the generator of TDE processes leaves to the name."""
    if drawing.process.get("id") != "tde-reserve-stock":
        return set()
    return {"late", "failed", "wait", "give-up", "compensate", "undo-it", "undone"}


def test_every_element_is_drawn_and_nothing_else(drawing: Drawing) -> None:
    assert set(drawing.shapes) == set(drawing.nodes)
    assert set(drawing.edges) == set(drawing.lines)


def test_no_two_shapes_or_labels_overlap(drawing: Drawing) -> None:
    attached = {name: it.get("attachedToRef") for name, it in drawing.nodes.items()}
    boxes = [*drawing.shapes.items(), *((f"label of {name}", box) for name, box in drawing.labels.items())]
    found = [
        (one, other)
        for (one, a), (other, b) in itertools.combinations(boxes, 2)
        if a.overlaps(b) and not (a.holds(b) or b.holds(a)) and other != attached.get(one) != one != attached.get(other)
    ]
    assert [pair for pair in found if attached.get(pair[1]) != pair[0]] == []


def test_no_line_runs_over_a_label_or_through_what_it_does_not_join(drawing: Drawing) -> None:
    found = [
        (line, name)
        for line, piece in drawing.pieces()
        for name, box in [*drawing.shapes.items(), *((f"label of {it}", box) for it, box in drawing.labels.items())]
        if piece.touches(box) and not box.holds(piece) and name not in joined(drawing, line)
    ]
    assert found == []


def joined(drawing: Drawing, line: str) -> set[str]:
    """What a line may touch: its ends, and the task at whose border an end sits."""
    ends = drawing.ends(line)
    return ends | {drawing.nodes[end].get("attachedToRef", "") for end in ends}


def test_lines_run_along_the_grid_and_cross_none_but_those_of_the_same_end(drawing: Drawing) -> None:
    assert [line for line, piece in drawing.pieces() if piece.width and piece.height] == []
    crossings = [
        (one, other)
        for (one, a), (other, b) in itertools.combinations(drawing.pieces(), 2)
        if one != other and a.touches(b) and not drawing.ends(one) & drawing.ends(other)
    ]
    assert crossings == []


def test_lines_begin_and_end_on_the_borders_of_what_they_join(drawing: Drawing) -> None:
    for name, line in drawing.lines.items():
        for end, (x, y) in (("sourceRef", drawing.edges[name][0]), ("targetRef", drawing.edges[name][-1])):
            box = drawing.shapes[line.get(end, "")]
            on_side = x in (box.x, box.x + box.width) and box.y <= y <= box.y + box.height
            on_top = y in (box.y, box.y + box.height) and box.x <= x <= box.x + box.width
            assert on_side or on_top, f"{name} at {end}"


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda it: it.stem)
def test_camundas_own_tools_take_the_element_templates(file: Path) -> None:
    template = json.loads(file.read_text(encoding="utf-8"))
    assert template_problems(template) == []
    assert template["id"] == f"procos.governance.{file.stem}"


def test_the_governed_task_sets_the_headers_that_a_task_run_reads() -> None:
    template = json.loads((ROOT / "bpmn/templates/governance/governed-task.json").read_text(encoding="utf-8"))
    headers = {it["binding"]["key"] for it in template["properties"] if it["binding"]["type"] == "zeebe:taskHeader"}
    assert headers == {"tde", "retryAttempts", "retryBackoff", "onFailure"}
