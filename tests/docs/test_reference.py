"""The reference is what the code says now; and what people may use is written down."""

import importlib.util
import re
import tomllib
from types import ModuleType

import pytest

import procos.sdk
from procos.sdk import TaskContext
from procos.settings import Settings
from tests.docs.pages import ROOT


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["README.md", "cli.md", "settings.md", "tdes.md", "errors.md"])
def test_page_of_the_reference_is_current(generator: ModuleType, page: str) -> None:
    committed = (ROOT / "docs" / "reference" / page).read_text(encoding="utf-8")
    assert committed == generator.pages()[page], f"docs/reference/{page} is not what the code says: run `make docs`"


def test_reference_has_no_page_that_is_not_generated(generator: ModuleType) -> None:
    assert {file.name for file in (ROOT / "docs" / "reference").iterdir()} == set(generator.pages())


def test_reference_is_the_same_on_every_machine(generator: ModuleType) -> None:
    text = "".join(generator.pages().values())
    for name in ("home", "cache"):
        assert str(Settings.model_fields[name].get_default(call_default_factory=True)) not in text


@pytest.mark.parametrize("setting", Settings.model_fields)
def test_setting_is_documented(setting: str) -> None:
    assert f"| `{setting}` |" in (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    assert Settings.model_fields[setting].description


@pytest.mark.parametrize("name", [*procos.sdk.__all__, *TaskContext.__dataclass_fields__, "idempotency_key"])
def test_what_a_tde_author_may_use_is_documented(name: str) -> None:
    page = (ROOT / "docs" / "how-to" / "write-a-tde.md").read_text(encoding="utf-8")
    assert f"`{name}`" in page or f"`{name}(" in page


def test_architecture_shows_every_floor_of_the_house() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    floors = [part.strip() for layer in contracts[0]["layers"] for part in layer.split("|")]
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    picture = (ROOT / "docs" / "images" / "architecture.svg").read_text(encoding="utf-8")
    assert [floor for floor in floors if f"`{floor}`" not in page] == []
    assert [floor for floor in floors if floor not in picture and floor != "__main__"] == []


def test_architecture_names_files_and_functions_that_are_there() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    files = set(re.findall(r"`([\w/]+\.py)`", page))
    assert files
    assert [file for file in files if not (ROOT / "procos" / file).is_file()] == []
    source = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "procos").rglob("*.py"))
    functions = set(re.findall(r"`([A-Z]\w+)\.(\w+)`", page))
    assert functions
    assert [it for it in functions if not re.search(rf"class {it[0]}\b", source) or f"def {it[1]}(" not in source] == []
