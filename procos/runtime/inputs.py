"""A job's variables become a TDE's typed input; secrets are filled in here and nowhere else."""

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from procos.errors import GiveUp
from procos.ports.secrets import SecretSource
from procos.sdk.registration import read_by
from procos.telemetry.secret_mask import any_of, secret_mask, spellings

_Schema = Mapping[str, Any]

_REFERENCE = re.compile(r"\{\{\s*secrets\.([A-Za-z0-9_.-]+)\s*\}\}")


class SecretResolver:
    """Fills `{{secrets.NAME}}` in, and takes the values out again of everything that leaves the worker.

    A secret is given out when its name matches a pattern that the TDE `declared` and one that the operator `granted`.
    """

    def __init__(self, source: SecretSource, declared: Sequence[str] = ("*",), granted: Sequence[str] = ("*",)) -> None:
        self._source = source
        self._declared = declared
        self._granted = granted
        self._used: dict[str, str] = {}
        self._any_used = any_of(())

    def resolve(self, value: Any) -> Any:  # noqa: ANN401 - any JSON value
        """`value` with every reference replaced, at any depth.

        Raises:
            GiveUp: there is no secret by that name, or the TDE may not use it.
        """
        if isinstance(value, str):
            return _REFERENCE.sub(lambda match: self.look_up(match[1]), value) if "{{" in value else value
        return _mapped(value, self.resolve)

    @property
    def used_names(self) -> set[str]:
        """The names of all secrets that were given out."""
        return set(self._used.values())

    def conceal(self, value: Any) -> Any:  # noqa: ANN401 - any JSON value
        """`value` with every secret that was used put back as its reference, at any depth, in keys as well."""
        if not self._used:
            return value
        if isinstance(value, str):
            return self._any_used.sub(lambda match: "{{secrets." + self._used[match[0]] + "}}", value)
        return _mapped(value, self.conceal)

    def look_up(self, name: str) -> str:
        """The secret `name`.

        Raises:
            GiveUp: there is no secret by that name, or the TDE may not use it.
        """
        if not _matches(name, self._declared):
            raise GiveUp(
                f"this TDE may not use the secret '{name}': its code declares "
                + (", ".join(self._declared) or "no secrets")
                + " (@tde(..., secrets=...))"
            )
        if not _matches(name, self._granted):
            raise GiveUp(
                f"this TDE may not use the secret '{name}': the setting secrets_granted allows it "
                + (", ".join(self._granted) or "none")
            )
        secret = self._source.get(name)
        if secret is None:
            raise GiveUp(
                f"there is no secret '{name}': set the variable PROCOS_SECRET_{name} for the worker, "
                "or add the name to its secrets_file"
            )
        if secret:
            self._used |= dict.fromkeys(spellings(secret), name)
            self._any_used = any_of(self._used)
            secret_mask.add(secret)
        return secret


def read_input(model: type[BaseModel], variables: Mapping[str, Any]) -> BaseModel:
    """The validated input.

    Raises:
        GiveUp: a variable is missing or wrong; names each field and what is expected.
    """
    names = read_by(model)
    extra = model.model_config.get("extra") == "allow"
    given = {name: value for name, value in variables.items() if extra or name in names}
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise GiveUp(explain(error, model)) from None


def explain(error: ValidationError, model: type[BaseModel], *, noun: str = "input") -> str:
    """Every problem of `error` in one line each: the field, what is wrong, and the type that is expected.

    Values are not shown: they may hold secrets.
    """
    schema = model.model_json_schema()
    problems = error.errors(include_url=False, include_input=False)
    return "; ".join(_sentence(problem, schema, noun) for problem in problems)


def _sentence(problem: ErrorDetails, root: _Schema, noun: str) -> str:
    path, schema = _follow(problem["loc"], root)
    what = f"{noun} '{'.'.join(path)}'" if path else f"the {noun}"
    expected = f", expected {_type_of(schema, root)}" if path and schema else ""
    if problem["type"] == "missing":
        return f"{what} is missing{expected}"
    return f"{what} is wrong{expected}: {problem['msg'].removeprefix('Value error, ')}"


def _follow(loc: tuple[int | str, ...], root: _Schema) -> tuple[list[str], _Schema]:
    """The fields on the way to a problem, and the schema of the last one; pydantic's names of a union's branches go."""
    path: list[str] = []
    schema = root
    for part in loc:
        inner = _inside(schema, part, root)
        if inner is None and _branches(_resolved(schema, root)):
            continue
        path.append(str(part))
        schema = inner or {}
    return path, schema


def _inside(schema: _Schema, part: int | str, root: _Schema) -> _Schema | None:
    schema = _resolved(schema, root)
    for branch in _branches(schema):
        inner = _inside(branch, part, root)
        if inner is not None:
            return inner
    other = schema.get("items" if isinstance(part, int) else "additionalProperties")
    found = schema.get("properties", {}).get(part, other)
    return found if isinstance(found, dict) else None


def _branches(schema: _Schema) -> list[_Schema]:
    return [*schema.get("anyOf", ()), *schema.get("oneOf", ())]


def _resolved(schema: _Schema, root: _Schema) -> _Schema:
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    return root["$defs"][name] if name else schema


def _type_of(schema: _Schema, root: _Schema) -> str:
    whole = _resolved(schema, root)
    if "enum" in whole:
        return "one of " + ", ".join(str(value) for value in whole["enum"])
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if branches := _branches(schema):
        return " or ".join(_type_of(branch, root) for branch in branches)
    if schema.get("type") == "array" and "items" in schema:
        return f"array of {_type_of(schema['items'], root)}"
    kind = str(schema.get("const", schema.get("type", "any value")))
    return f"{kind} ({schema['format']})" if "format" in schema else kind


def _mapped(value: Any, function: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, list):
        return [function(item) for item in value]
    if isinstance(value, dict):
        return {function(key): function(item) for key, item in value.items()}
    return value


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
