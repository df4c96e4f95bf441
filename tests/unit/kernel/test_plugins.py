"""TDEs from entry points: the good ones, the broken ones, and two of one name."""

import importlib.metadata
import textwrap
from pathlib import Path

import pytest

from procos.kernel.plugins import GROUP, BrokenPlugin, discover

MODULE = """
    import sys
    from typing import Any
    from pydantic import BaseModel, ConfigDict
    from procos.sdk import tde

    class In(BaseModel):
        name: str = ""

    class Opaque(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        stream: type(sys.stdout)

    @tde("alpha", description="Alpha")
    def alpha(data: In) -> None: ...

    @tde("beta", description="Beta", job_type="tde.alpha")
    def other_with_alphas_type(data: In) -> None: ...

    @tde("alpha", description="Alpha again", job_type="mine")
    def other_with_alphas_name(data: In) -> None: ...

    @tde("gamma", description="Gamma")
    def gamma(data: In) -> None: ...

    @tde("opaque", description="Its input has no JSON schema")
    def opaque(data: Opaque) -> None: ...

    def plain(data: In) -> None: ...

    text = "no function"
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest):
    """A module that can be imported, and entry points into it."""
    name = f"plugin_{abs(hash(request.node.name))}"
    (tmp_path / f"{name}.py").write_text(textwrap.dedent(MODULE), encoding="utf-8")
    (tmp_path / f"{name}_exits.py").write_text("raise SystemExit('no licence')", encoding="utf-8")
    (tmp_path / f"{name}_breaks.py").write_text("import no_such_library", encoding="utf-8")
    (tmp_path / f"{name}_wrong.py").write_text(
        "from procos.sdk import tde\n@tde('x', description='')\ndef x(data): ...", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)

    def entry_point(entry: str, target: str) -> importlib.metadata.EntryPoint:
        return importlib.metadata.EntryPoint(entry, f"{name}{target}", GROUP)

    return entry_point


def test_tdes_are_found_in_the_order_of_their_names(package):
    found = discover([package("gamma", ":gamma"), package("alpha", ":alpha")])

    assert [registered.tde.name for registered in found.tdes] == ["alpha", "gamma"]
    assert found.broken == ()


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("_breaks:x", "cannot be loaded: ModuleNotFoundError: No module named 'no_such_library'"),
        ("_exits:x", "cannot be loaded: SystemExit: no licence"),
        ("_nowhere:x", "cannot be loaded: ModuleNotFoundError"),
        (":no_such_name", "cannot be loaded: AttributeError"),
        ("_wrong:x", "annotate 'data' with a pydantic model"),
        (":plain", "is function, not a function decorated with @tde"),
        (":text", "is str, not a function decorated with @tde"),
        (":opaque", "cannot be described: "),
    ],
)
def test_a_broken_plugin_is_listed_with_its_reason_and_the_others_work(package, target, reason):
    found = discover([package("bad", target), package("alpha", ":alpha")])

    assert [registered.tde.name for registered in found.tdes] == ["alpha"]
    (broken,) = found.broken
    assert broken.name == "bad"
    assert reason in broken.reason
    assert target in broken.reason


@pytest.mark.parametrize("second", [":other_with_alphas_name", ":other_with_alphas_type", ":alpha"])
def test_the_second_with_a_name_or_job_type_is_refused(package, second):
    found = discover([package("a", ":alpha"), package("b", second)])

    assert [registered.tde.name for registered in found.tdes] == ["alpha"]
    (broken,) = found.broken
    assert broken.name == "b"
    assert "is there already" in broken.reason


def test_the_distribution_that_brings_a_tde_is_named(tmp_path, package):
    target = package("alpha", ":alpha").value
    info = tmp_path / "some_tdes-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-tdes\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\nalpha = {target}\nbad = {target}_not\n", encoding="utf-8")
    (distribution,) = importlib.metadata.distributions(path=[str(tmp_path)])

    found = discover(distribution.entry_points)

    assert [registered.distribution for registered in found.tdes] == ["some-tdes"]
    assert [broken.distribution for broken in found.broken] == ["some-tdes"]


def test_without_a_distribution_there_is_a_question_mark(package):
    found = discover([package("bad", ":no_such_name")])

    assert isinstance(found.broken[0], BrokenPlugin)
    assert found.broken[0].distribution == "?"


def test_no_entry_points_are_no_tdes():
    assert discover([]).tdes == ()


def test_the_bundled_tdes_are_found_like_everybodys():
    found = discover()
    bundled = {registered.tde.name for registered in found.tdes if registered.distribution == "procos"}

    assert {"http", "python", "shell"} <= bundled
