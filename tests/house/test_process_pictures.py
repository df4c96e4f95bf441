"""Every BPMN file has a picture that was drawn from it as it is now, and a page that shows it and says what it does."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree as ET

import pytest

from tests.house.drawing import Drawing

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "processes"
FILES = sorted((ROOT / "bpmn").rglob("*.bpmn"))


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("render", ROOT / "docs" / "render.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["render"] = module  # pydantic looks its models' module up there
    spec.loader.exec_module(module)
    return module


render = _script()


def test_there_is_a_picture_for_every_file_and_no_other() -> None:
    assert {it.name for it in render.PICTURES.iterdir()} == set(render.sources())
    assert sorted(render.sources().values()) == FILES


@pytest.mark.parametrize(("name", "file"), render.sources().items(), ids=lambda it: getattr(it, "stem", it))
def test_the_picture_was_drawn_from_the_file_as_it_is_now(name: str, file: Path) -> None:
    shown, drawn_from = render.origin_of(render.PICTURES / name)
    assert shown == file.relative_to(ROOT).as_posix()
    assert drawn_from == render.hash_of(file), f"{file.name} has changed: run `make pictures`, and look at {name}"


@pytest.mark.parametrize("name", render.sources())
def test_the_picture_shows_every_shape_of_the_file(name: str) -> None:
    picture = ET.fromstring((render.PICTURES / name).read_text(encoding="utf-8"))  # noqa: S314 - our own
    drawing = Drawing.of(render.sources()[name])
    shown = {it.get("data-element-id") for it in picture.iter()}
    assert set(drawing.shapes) | set(drawing.edges) <= shown


def test_a_picture_of_another_origin_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.svg").write_text("<svg/>")
    with pytest.raises(ValueError, match=r"was not drawn by docs/render\.py"):
        render.origin_of(tmp_path / "other.svg")


def test_the_template_of_a_deterministic_tde_is_what_is_generated_now() -> None:
    assert render.EXAMPLE.read_text(encoding="utf-8") == render.example(), "run `make pictures`"


def page_of(file: Path) -> Path:
    """The page about a process; the governance fragments share one."""
    return PAGES / ("governance.md" if file.parent.name == "governance" else f"{file.stem}.md")


@pytest.mark.parametrize("file", FILES, ids=lambda it: it.stem)
def test_a_page_shows_the_picture_and_names_every_job_type(file: Path) -> None:
    text = page_of(file).read_text(encoding="utf-8")
    (picture,) = [name for name, it in render.sources().items() if it == file]
    assert f"(../images/processes/{picture})" in text
    missing = {it for it in Drawing.of(file).job_types() if f"`{it.removeprefix('=')}`" not in text}
    assert missing == set()


@pytest.mark.parametrize("file", FILES, ids=lambda it: it.stem)
def test_a_page_names_every_task_as_the_drawing_does(file: Path) -> None:
    text = " ".join(page_of(file).read_text(encoding="utf-8").split())
    tasks = [it.get("name", "") for it in Drawing.of(file).nodes.values() if it.tag.endswith(("Task", "callActivity"))]
    assert [name for name in tasks if name not in text] == []
