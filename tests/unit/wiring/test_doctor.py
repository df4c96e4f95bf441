"""What `procos doctor` finds where no engine is needed."""

import asyncio
from pathlib import Path

from pydantic import SecretStr

from procos.settings import Settings
from procos.wiring.doctor import Finding, examine


def found(part: str, settings: Settings) -> Finding:
    (finding,) = (it for it in asyncio.run(examine(settings)) if it.part == part)
    return finding


def test_a_state_database_that_is_not_there_yet_is_no_fault_and_is_not_made(tmp_path: Path) -> None:
    finding = found("state database", Settings(home=tmp_path))

    assert finding.is_well
    assert "is made at the first boot" in finding.text
    assert not list(tmp_path.rglob("procos.db"))


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    file = tmp_path / "state" / "procos.db"
    file.parent.mkdir()
    file.write_text("this is a letter, not a database")

    finding = found("state database", Settings(home=tmp_path))

    assert not finding.is_well
    assert str(file) in finding.text


def test_a_database_server_that_does_not_answer_is_named_without_the_password(tmp_path: Path) -> None:
    url = SecretStr("postgresql://procos:pa55word@127.0.0.1:9/procos")

    finding = found("state database", Settings(home=tmp_path, database_url=url))

    assert not finding.is_well
    assert "127.0.0.1:9" in finding.text
    assert "pa55word" not in finding.text + finding.hint
