import importlib.metadata
import json

import pytest

from licence_audit.packages import LONGEST_LICENCE_NAME, list_installed, normalised


@pytest.fixture
def install(tmp_path):
    def write(name, metadata, folder="site"):
        info = tmp_path / folder / f"{name}-1.dist-info"
        info.mkdir(parents=True)
        if metadata is not None:
            (info / "METADATA").write_bytes(metadata if isinstance(metadata, bytes) else metadata.encode())
        return str(tmp_path / folder)

    return write


def described(install, *lines):
    [package] = list_installed([install("sample", "\n".join(["Name: sample", "Version: 1", *lines]))])
    return package


def test_every_installed_package_is_listed_once():
    names = [normalised(package["name"]) for package in list_installed()]
    expected = {normalised(found.metadata["Name"]) for found in importlib.metadata.distributions()}
    assert len(names) == len(set(names))
    assert set(names) == expected
    assert names == sorted(names)


def test_real_packages_have_their_real_facts():
    found = {package["name"]: package for package in list_installed()}
    assert found["pydantic"]["version"] == importlib.metadata.version("pydantic")
    assert found["pydantic"]["licence_expression"] == "MIT"
    assert "pydantic-core" in found["pydantic"]["requires"]


def test_the_list_is_json():
    packages = list_installed()
    assert json.loads(json.dumps(packages)) == packages


@pytest.mark.parametrize("nothing", ["", "UNKNOWN", "unknown", "None", "N/A", "-"])
def test_a_placeholder_is_not_a_licence(install, nothing):
    package = described(install, f"License: {nothing}", f"License-Expression: {nothing}")
    assert (package["licence_field"], package["licence_expression"]) == (None, None)


def test_licence_classifiers_are_kept_and_others_are_not(install):
    package = described(
        install,
        "Classifier: License :: OSI Approved :: MIT License",
        "Classifier: Programming Language :: Python",
        "Classifier: License :: Freeware",
    )
    assert package["licence_classifiers"] == ["License :: OSI Approved :: MIT License", "License :: Freeware"]


def test_a_whole_licence_text_is_told_from_a_name(install):
    package = described(install, "License: MIT License", "        ", "        Permission is hereby granted")
    assert (package["licence_field"], package["licence_text_title"]) == (None, "MIT License")


def test_one_very_long_line_is_a_text_as_well(install):
    package = described(install, "License: " + "word " * 100)
    assert package["licence_field"] is None
    assert len(package["licence_text_title"]) == LONGEST_LICENCE_NAME


def test_a_licence_in_any_script_is_kept_as_it_is(install):
    assert described(install, "License: Лицензия «Ж»")["licence_field"] == "Лицензия «Ж»"


def test_requirements_of_extras_are_left_out(install):
    package = described(
        install,
        "Requires-Dist: Needed_One (>=1.0)",
        'Requires-Dist: tiny.thing[fast]>=2 ; python_version < "3.99"',
        'Requires-Dist: only-for-tests ; extra == "test"',
    )
    assert package["requires"] == ["needed-one", "tiny-thing"]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["Home-page: https://a.example"], "https://a.example"),
        (["Home-page: UNKNOWN", "Project-URL: Home Page, https://b.example"], "https://b.example"),
        (
            ["Project-URL: Changes, https://c.example", "Project-URL: Source Code, https://d.example"],
            "https://d.example",
        ),
        (["Project-URL: Funding, https://e.example"], "https://e.example"),
        ([], None),
    ],
)
def test_the_home_page_is_the_most_telling_link(install, lines, expected):
    assert described(install, *lines)["homepage"] == expected


def test_of_two_copies_the_one_counts_that_python_would_import(install):
    first = install("sample", "Name: Sam.Ple\nVersion: 2", folder="first")
    second = install("sample", "Name: sam-ple\nVersion: 1", folder="second")
    assert [package["version"] for package in list_installed([first, second])] == ["2"]
    assert [package["version"] for package in list_installed([second, first])] == ["1"]


@pytest.mark.parametrize("metadata", [None, b"", b"Name: caf\xe9\nVersion: 1\n"])
def test_a_package_that_cannot_be_read_is_listed_and_does_not_end_the_audit(install, metadata):
    folder = install("broken", metadata)
    install("sample", "Name: sample\nVersion: 1")
    broken, sample = list_installed([folder])
    assert sample["name"] == "sample"
    assert broken["name"].startswith(f"(no name, in {folder}")
