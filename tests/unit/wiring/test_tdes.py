"""A TDE by its name or from its author's file, and one job through it without an engine."""

import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from procos.errors import BpmnError, GiveUp, PluginError, RetryLater, SettingsError, UsageError
from procos.kernel.plugins import BrokenPlugin, Plugins, RegisteredTde
from procos.model.job import Completed, ErrorThrown, Failed
from procos.sdk import RetryPolicy, TaskContext, tde
from procos.settings import Settings
from procos.wiring.tdes import find_tde, run_alone, version_number

FILE = """
from pydantic import BaseModel
from procos.sdk import tde
import {sibling}

class Person(BaseModel):
    name: str

@tde("greet", description="Greets")
def greet(person: Person) -> Person:
    return Person(name={sibling}.GREETING + person.name)
"""


class Config(BaseModel):
    model_config = ConfigDict(extra="forbid")
    sign: str = "!"


class Person(BaseModel):
    name: str


@tde("greet", description="Greets", config=Config, secrets=["NAME"])
def greet(person: Person, context: TaskContext[Config]) -> Person:
    match person.name:
        case "later":
            raise RetryLater("not now", after=timedelta(minutes=5))
        case "bpmn":
            raise BpmnError("NOBODY", "nobody is there", variables={"who": 1})
        case "never":
            raise GiveUp("never")
        case "folder":
            return Person(name=str(context.data_folder))
        case "header":
            return Person(name=context.headers["sign"])
    return Person(name=f"{person.name}{context.config.sign} ({context.attempt})")


PLUGINS = Plugins((RegisteredTde(greet, "greetings"),), (BrokenPlugin("bad", "badly", "no module"),))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An author's folder, where they stand: `mine_….py` with the TDE greet, which imports the module beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    sibling = f"sibling_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{sibling}.py").write_text("GREETING = 'Hello '\n")
    (tmp_path / "mine.py").write_text(FILE.format(sibling=sibling))
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        del sys.modules[name]


def refusal(target: str, kind: type[Exception] = UsageError) -> Any:
    with pytest.raises(kind) as caught:
        find_tde(target, PLUGINS)
    return caught.value


def run(name: str, *, settings: Settings | None = None, headers: dict[str, str] | None = None) -> Any:
    return run_alone(greet, settings or Settings(), variables={"name": name}, headers=headers or {})


def test_a_name_finds_what_is_installed() -> None:
    assert find_tde("greet", PLUGINS) == PLUGINS.tdes[0]


def test_an_unknown_name_is_a_wrong_use_and_the_nearest_is_named() -> None:
    error = refusal("gret")
    assert error.exit_code == 2
    assert error.hint == "did you mean 'greet'?"


def test_a_name_like_none_is_answered_with_all() -> None:
    assert refusal("zzz").hint == "installed are greet"


def test_a_broken_plugin_says_why() -> None:
    assert "no module" in refusal("bad", PluginError).message


@pytest.mark.parametrize("target", ["mine.py", "mine.py:greet", "mine:greet", "./mine.py"])
def test_a_tde_that_is_not_installed_is_found_with_what_lies_beside_it(folder: Path, target: str) -> None:
    found = find_tde(target, PLUGINS)
    assert found.distribution == ""
    outcome = run_alone(found.tde, Settings(), variables={"name": "Ada"}, headers={})
    assert outcome == Completed({"name": "Hello Ada"})


def test_a_file_that_is_not_there(folder: Path) -> None:
    assert "there is no file other.py" in refusal("other.py").message


def test_a_file_without_tdes(folder: Path) -> None:
    Path("empty.py").write_text("")
    assert refusal("empty.py").message == "empty.py holds no TDE"


def test_a_file_with_several_tdes_asks_for_one_of_them(folder: Path) -> None:
    text = Path("mine.py").read_text()
    Path("two.py").write_text(text + text[text.index("@tde") :].replace("greet", "other"))
    error = refusal("two.py")
    assert error.message == "two.py holds 2 TDEs"
    assert error.hint == "name one: two.py:greet, two.py:other"
    assert find_tde("two.py:other", PLUGINS).tde.name == "other"


def test_an_attribute_that_is_no_tde(folder: Path) -> None:
    error = refusal("mine:Person")
    assert error.message == "mine has no TDE 'Person'"
    assert error.hint == "there are mine:greet"


@pytest.mark.parametrize("code", ["1/0", "import not_there_at_all", "raise SystemExit(3)", "def (:"])
def test_a_file_that_cannot_be_loaded_says_why_and_where(folder: Path, code: str) -> None:
    Path("bad.py").write_text(code)
    error = refusal("bad.py", PluginError)
    assert error.message.startswith("bad.py cannot be loaded: ")


def test_a_wrong_signature_keeps_its_own_words(folder: Path) -> None:
    Path("bad.py").write_text("from procos.sdk import tde\n@tde('x', description='X')\ndef x(): ...\n")
    assert "takes 0 parameters" in refusal("bad.py", PluginError).message


def test_a_run_completes_with_its_settings_at_its_first_attempt() -> None:
    outcome = run("Ada", settings=Settings(tde={"greet": {"sign": "?"}}))
    assert outcome == Completed({"name": "Ada? (1)"})


def test_the_first_attempt_is_the_first_also_where_the_tde_has_more_or_fewer() -> None:
    for attempts in (1, 5):
        once = tde("once", description="Counts", retry=RetryPolicy(attempts=attempts))(counting)
        assert run_alone(once, Settings(), variables={"name": "x"}, headers={}) == Completed({"name": "1"})


def counting(_: Person, context: TaskContext) -> Person:
    return Person(name=str(context.attempt))


def test_headers_reach_the_function() -> None:
    assert run("header", headers={"sign": "§"}) == Completed({"name": "§"})


def test_the_data_folder_is_the_homes(tmp_path: Path) -> None:
    assert run("folder", settings=Settings(home=tmp_path)) == Completed({"name": str(tmp_path / "tde" / "greet")})


def test_secrets_come_from_the_file_and_do_not_leave(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets.toml"
    secrets.write_text('NAME = "hunter2-Zx81"\n')
    secrets.chmod(0o600)
    outcome = run("{{secrets.NAME}}", settings=Settings(secrets_file=secrets))
    assert outcome == Completed({"name": "{{secrets.NAME}}! (1)"})


def test_a_secret_that_the_settings_do_not_grant_is_not_given(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets.toml"
    secrets.write_text('NAME = "hunter2-Zx81"\n')
    secrets.chmod(0o600)
    settings = Settings(secrets_file=secrets, secrets_granted={"greet": ["OTHER"]})
    outcome = run("{{secrets.NAME}}", settings=settings)
    assert isinstance(outcome, Failed)
    assert "hunter2-Zx81" not in outcome.message


def test_the_other_ends_of_a_job() -> None:
    assert run("bpmn") == ErrorThrown("NOBODY", "nobody is there", {"who": 1})
    assert run("never") == Failed("never", 0)
    assert run("later") == Failed("not now", 2, timedelta(minutes=5))


def test_a_wrong_input_fails_the_job_and_names_the_field() -> None:
    outcome = run_alone(greet, Settings(), variables={}, headers={})
    assert isinstance(outcome, Failed)
    assert "input 'name' is missing" in outcome.message


def test_wrong_settings_are_refused_before_anything_runs() -> None:
    with pytest.raises(SettingsError, match=r"\[tde.greet\] 'mark'"):
        run("Ada", settings=Settings(tde={"greet": {"mark": "?"}}))


def test_versions_become_numbers_that_grow() -> None:
    assert version_number("pydantic") > 2_000_000
    assert version_number("not-installed-at-all") == version_number("") == 1
