"""The SecretSource port on environment variables and a TOML file."""

import tomllib
from pathlib import Path

from procos.errors import SettingsError
from procos.settings import secret_variables


class EnvironmentAndFile:
    """`PROCOS_SECRET_NAME` variables first, then the file, which is read again when it has changed."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._seen: tuple[int, int, int] | None = None
        self._from_file: dict[str, str] = {}

    def get(self, name: str) -> str | None:
        """The secret, or None where there is none by that name.

        Raises:
            SettingsError: the file cannot be read or is not NAME = "value" lines.
        """
        variables = secret_variables()
        return variables[name] if name in variables else self._read_file().get(name)

    def _read_file(self) -> dict[str, str]:
        if self._file is None:
            return {}
        try:
            facts = self._file.stat()
            now = (facts.st_mtime_ns, facts.st_size, facts.st_ino)
            if now != self._seen:
                self._from_file = _parse(self._file)
                self._seen = now
        except OSError as error:
            raise SettingsError(f"the secrets_file {self._file} cannot be read: {error.strerror}") from error
        return self._from_file


def _parse(file: Path) -> dict[str, str]:
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        # The parser's message may quote the line, and with it the secret.
        raise SettingsError(f"the secrets_file {file} is not TOML", hint='one NAME = "value" a line') from None
    wrong = [name for name, value in table.items() if not isinstance(value, str)]
    if wrong:
        raise SettingsError(f"the secrets_file {file}: {', '.join(wrong)} must be text in quotes")
    return table
