"""Settings are read and checked, and where each value came from is kept; this module alone reads the environment."""

import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

from procos.errors import SettingsError
from procos.settings.fields import ECOSYSTEM_NAMES, PREFIX, Settings

FILE_NAME = "procos.toml"
SECRET_PREFIX = "PROCOS_SECRET_"  # noqa: S105 - a prefix of names

_PASSWORD_IN_URL = re.compile(r"(://[^/@\s:]*:)[^/@\s]+@")


@dataclass(frozen=True)
class LoadedSettings:
    """The settings, with the source of each value: 'command line', a variable's name, a file, or 'default'."""

    values: Settings
    sources: Mapping[str, str]

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """Name, value and source of each setting; secrets are masked."""
        for name in Settings.model_fields:
            value = getattr(self.values, name)
            yield name, _shown(value), self.sources.get(name, "default")


def load(options: Mapping[str, Any] | None = None, *, environment: Mapping[str, str] | None = None) -> LoadedSettings:
    """Reads and checks all settings.

    `options` are the command line's (None values count as not given); `environment` is this process's own by default.

    Raises:
        SettingsError: a value is wrong or a name is unknown; says which, where it was set, and what is expected.
    """
    environment = dict(os.environ) if environment is None else environment
    layers = [
        *_from_file(environment),
        *_from_ecosystem(environment),
        *_from_environment(environment),
        *((name, value, "command line") for name, value in (options or {}).items() if value is not None),
    ]
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for name, value, source in layers:
        both_tables = isinstance(value, dict) and isinstance(values.get(name), dict)
        values[name] = _merged(values[name], value) if both_tables else value
        sources[name] = f"{sources[name]}, {source}" if both_tables else source
    try:
        return LoadedSettings(Settings(**values), sources)
    except ValidationError as error:
        raise _explain(error, sources) from None


def secret_variables(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The secrets in this process's environment, by their names without the prefix `PROCOS_SECRET_`."""
    environment = os.environ if environment is None else environment
    return {
        name.removeprefix(SECRET_PREFIX): value for name, value in environment.items() if name.startswith(SECRET_PREFIX)
    }


def _from_file(environment: Mapping[str, str]) -> list[tuple[str, Any, str]]:
    given = environment.get(f"{PREFIX}CONFIG")
    path = Path(given) if given else Path.cwd() / FILE_NAME
    if not given and not path.is_file():
        return []
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"the settings file {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"the settings file {path} is not TOML: {error}") from error
    return [(name.replace("-", "_"), value, str(path)) for name, value in table.items()]


def _from_ecosystem(environment: Mapping[str, str]) -> list[tuple[str, Any, str]]:
    found = []
    for field, names in ECOSYSTEM_NAMES.items():
        name = next((name for name in names if environment.get(name)), None)
        if name:
            found.append((field, environment[name], name))
    return found


class _GivenEnvironment(EnvSettingsSource):
    """pydantic-settings' own reading of the environment, on a mapping that is passed in."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = {name.lower(): value for name, value in environment.items()}
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._environment


def _from_environment(environment: Mapping[str, str]) -> list[tuple[str, Any, str]]:
    ours = {
        name: value
        for name, value in environment.items()
        if name.startswith(PREFIX) and not name.startswith(SECRET_PREFIX) and name != f"{PREFIX}CONFIG" and value
    }
    known = {f"{PREFIX}{field}".upper(): get_origin(info.annotation) for field, info in Settings.model_fields.items()}
    tables = {name for name, kind in known.items() if kind is dict}
    for name in ours:
        if name not in known and name.partition("__")[0] not in tables:
            raise SettingsError(
                f"the variable {name} is no setting of ProcOS", hint="`procos config` lists all settings"
            )
    try:
        values = _GivenEnvironment(ours)()
    except ValueError as error:
        wrong = ", ".join(sorted(tables & ours.keys()))
        raise SettingsError(
            f"the variable {wrong} is not JSON: {error.__cause__ or error}",
            hint=f"give an object, or single values as {wrong}__NAME__FIELD",
        ) from error
    return [(field, _with_json(value), _variable_of(field, ours)) for field, value in values.items()]


def _with_json(value: Any) -> Any:  # noqa: ANN401 - any setting
    """Inside tables, where no type says what a text means, JSON is read as JSON and all else as text."""
    if not isinstance(value, dict):
        return value
    read = {}
    for name, item in value.items():
        try:
            read[name] = json.loads(item) if isinstance(item, str) else _with_json(item)
        except ValueError:
            read[name] = item
    return read


def _variable_of(field: str, environment: Mapping[str, str]) -> str:
    plain = f"{PREFIX}{field}".upper()
    return ", ".join(name for name in environment if name == plain or name.startswith(f"{plain}__"))


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for name, value in above.items():
        old = merged.get(name)
        merged[name] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _explain(error: ValidationError, sources: Mapping[str, str]) -> SettingsError:
    first = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    source = sources.get(str(first["loc"][0]), "default")
    if first["type"] == "extra_forbidden":
        return SettingsError(
            f"'{name}' is no setting of ProcOS (in {source})", hint="`procos config` lists all settings"
        )
    message = first["msg"].removeprefix("Value error, ")
    shown = "" if _is_secret(name) else f" = {str(first.get('input'))[:100]!r}"
    return SettingsError(f"setting {name}{shown} (from {source}): {message}", hint=_description(name))


def _is_secret(name: str) -> bool:
    field: FieldInfo | None = Settings.model_fields.get(name.partition(".")[0])
    return field is not None and SecretStr in (field.annotation, *get_args(field.annotation))


def _description(name: str) -> str | None:
    field: FieldInfo | None = Settings.model_fields.get(name.partition(".")[0])
    return field.description if field else None


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g} s"
    return _PASSWORD_IN_URL.sub(r"\1***@", str(value))
