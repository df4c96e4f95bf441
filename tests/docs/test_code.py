"""What a page shows as Python, TOML, XML or JSON is what it says."""

import importlib.util
import json
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree as ET

import pytest

from procos.kernel.plugins import discover
from procos.sdk import Tde
from procos.settings import Settings
from tests.docs.pages import blocks, pages, pages_with

LONGEST_SMALLEST_TDE = 12
KNOWN_LANGUAGES = {"console", "python", "toml", "xml", "json", "text", "bash"}


@pytest.mark.parametrize("page", pages_with("python"))
def test_python_of_a_page_runs_and_its_tdes_are_usable(
    page: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    module = load_python(page, tmp_path, request)
    shown = sum(block.text.count("@tde(") for block in blocks(page) if block.language == "python")
    tdes = [value for value in vars(module).values() if isinstance(value, Tde)]
    assert len(tdes) == shown
    for tde in tdes:
        assert json.dumps(tde.manifest().model_dump(mode="json"))


def load_python(page: str, folder: Path, request: pytest.FixtureRequest) -> ModuleType:
    """All Python of a page as one module, as if the reader had typed it into one file."""
    name = "page_" + re.sub(r"\W", "_", page)
    file = folder / f"{name}.py"
    file.write_text("\n".join(block.text for block in blocks(page) if block.language == "python"), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    request.addfinalizer(lambda: sys.modules.pop(name))
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["README.md", "docs/how-to/write-a-tde.md"])
def test_smallest_tde_with_its_registration_has_at_most_twelve_lines(page: str) -> None:
    code = next(block for block in blocks(page) if block.language == "python")
    registration = next(block for block in blocks(page) if block.language == "toml")
    assert "@tde(" in code.text
    assert "procos.tdes" in registration.text
    lines = [line for line in (code.text + registration.text).splitlines() if line.strip()]
    assert len(lines) <= LONGEST_SMALLEST_TDE


@pytest.mark.parametrize("page", pages_with("toml", "json", "xml"))
def test_data_of_a_page_can_be_read(page: str) -> None:
    for block in blocks(page):
        if block.language == "toml":
            tomllib.loads(block.text)
        elif block.language == "json":
            json.loads(block.text)
        elif block.language == "xml" and not block.options.get(
            "file"
        ):  # files are the reader's, some broken on purpose
            ET.fromstring(f'<page xmlns:zeebe="zeebe" xmlns:bpmn="bpmn">{block.text}</page>')  # noqa: S314 - our own page


@pytest.mark.parametrize("page", pages_with("toml"))
def test_settings_that_a_page_shows_are_taken(page: str) -> None:
    tdes = {found.tde.name: found.tde for found in discover().tdes}
    for block in blocks(page):
        table = tomllib.loads(block.text) if block.language == "toml" else {}
        if set(table) <= set(Settings.model_fields):
            Settings.model_validate(table)
        for name, values in table.get("tde", {}).items():
            if name in tdes:
                tdes[name].config_model.model_validate(values)


def test_every_block_is_in_a_language_that_is_checked() -> None:
    assert {block.language for page in pages() for block in blocks(page)} <= KNOWN_LANGUAGES
