"""Secrets from the environment and from a file that may change."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from procos.adapters.secrets import EnvironmentAndFile
from procos.errors import SettingsError

TOKEN = "tok-1a2b3c4d"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "secrets.toml"
    path.write_text(f'TOKEN = "{TOKEN}"\n"db.password-1" = "p"\nEMPTY = ""\n', encoding="utf-8")
    return path


def replace(path: Path, text: str, *, at: int) -> None:
    """Writes the file with a modification time of its own, as some moment later would give it."""
    path.write_text(text, encoding="utf-8")
    os.utime(path, (at, at))


def get_with(environment: dict[str, str], name: str, path: Path | None) -> str:
    """What a process with that environment gets."""
    code = (
        "import sys; from pathlib import Path; from procos.adapters.secrets import EnvironmentAndFile\n"
        "file = Path(sys.argv[2]) if len(sys.argv) > 2 else None\n"
        "print(repr(EnvironmentAndFile(file).get(sys.argv[1])))"
    )
    command = [sys.executable, "-c", code, name, *([str(path)] if path else [])]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()


def test_a_secret_of_the_file_is_found_by_its_name(file):
    secrets = EnvironmentAndFile(file)

    assert secrets.get("TOKEN") == TOKEN
    assert secrets.get("db.password-1") == "p"
    assert secrets.get("EMPTY") == ""


def test_a_name_that_is_nowhere_is_none(file):
    assert EnvironmentAndFile(file).get("NOPE") is None
    assert EnvironmentAndFile(None).get("NOPE") is None


def test_the_environment_comes_first(file):
    assert get_with({"PROCOS_SECRET_TOKEN": "from-env"}, "TOKEN", file) == "'from-env'"
    assert get_with({"PROCOS_SECRET_OTHER": "from-env"}, "TOKEN", file) == repr(TOKEN)
    assert get_with({"PROCOS_SECRET_TOKEN": "from-env"}, "TOKEN", None) == "'from-env'"


def test_variables_that_are_not_marked_as_secrets_are_none():
    assert EnvironmentAndFile(None).get("PATH") is None


def test_a_file_that_changed_is_read_again(file):
    secrets = EnvironmentAndFile(file)
    assert secrets.get("TOKEN") == TOKEN

    replace(file, 'TOKEN = "tok-55667788"\n', at=2_000_000_000)

    assert secrets.get("TOKEN") == "tok-55667788"
    assert secrets.get("EMPTY") is None


def test_a_file_that_was_swapped_for_another_is_read_again(file, tmp_path):
    secrets = EnvironmentAndFile(file)
    assert secrets.get("TOKEN") == TOKEN
    facts = file.stat()
    other = tmp_path / "new.toml"
    other.write_text(file.read_text(encoding="utf-8").replace(TOKEN, TOKEN[::-1]), encoding="utf-8")
    os.utime(other, ns=(facts.st_mtime_ns, facts.st_mtime_ns))
    other.replace(file)

    assert secrets.get("TOKEN") == TOKEN[::-1]


def test_a_file_that_went_away_is_named(file):
    secrets = EnvironmentAndFile(file)
    secrets.get("TOKEN")
    file.unlink()

    with pytest.raises(SettingsError, match=r"secrets\.toml cannot be read: No such file or directory"):
        secrets.get("TOKEN")


@pytest.mark.parametrize(
    "content", [f'TOKEN = "{TOKEN}', f"TOKEN = {TOKEN}", f'"{TOKEN}"', f'TOKEN = "{TOKEN}"\xff'.encode("latin-1")]
)
def test_a_file_that_is_not_toml_is_refused_without_showing_what_is_in_it(file, content):
    file.write_bytes(content.encode() if isinstance(content, str) else content)

    with pytest.raises(SettingsError, match=r"secrets\.toml is not TOML") as caught:
        EnvironmentAndFile(file).get("TOKEN")

    assert TOKEN not in f"{caught.value.message}{caught.value.hint}"
    assert caught.value.__suppress_context__, "the parser's own message may quote the secret"


def test_secrets_that_are_no_text_are_named_without_showing_them(file):
    file.write_text('GOOD = "x"\nPIN = 4711\n[db]\npassword = "hunter2"\n', encoding="utf-8")

    with pytest.raises(SettingsError, match="PIN, db must be text in quotes") as caught:
        EnvironmentAndFile(file).get("GOOD")

    assert "4711" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_file_that_was_mended_works_again(file):
    secrets = EnvironmentAndFile(file)
    replace(file, "broken", at=2_000_000_000)
    for _ in range(2):
        with pytest.raises(SettingsError):
            secrets.get("TOKEN")
    replace(file, 'TOKEN = "mended"', at=2_000_000_100)

    assert secrets.get("TOKEN") == "mended"
