"""A job's variables become a TDE's typed input; secrets are filled in here and nowhere else."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from procos.errors import GiveUp
from procos.ports.secrets import SecretSource
from procos.telemetry import secret_mask

_REFERENCE = re.compile(r"\{\{\s*secrets\.([A-Za-z0-9_.-]+)\s*\}\}")


class SecretResolver:
    """Fills `{{secrets.NAME}}` in, and takes the values out again of everything that leaves the worker."""

    def __init__(self, source: SecretSource) -> None:
        self._source = source
        self._used: dict[str, str] = {}

    def resolve(self, value: Any) -> Any:  # noqa: ANN401 - any JSON value
        """`value` with every reference replaced, at any depth.

        Raises:
            GiveUp: there is no secret by that name.
        """
        if isinstance(value, str):
            return _REFERENCE.sub(lambda match: self._look_up(match[1]), value)
        return _mapped(value, self.resolve)

    def conceal(self, value: Any) -> Any:  # noqa: ANN401 - any JSON value
        """`value` with every secret that was used put back as its reference, at any depth, in keys as well."""
        if isinstance(value, str):
            for secret, name in sorted(self._used.items(), key=lambda item: len(item[0]), reverse=True):
                value = value.replace(secret, "{{secrets." + name + "}}")
            return value
        return _mapped(value, self.conceal)

    def _look_up(self, name: str) -> str:
        secret = self._source.get(name)
        if secret is None:
            raise GiveUp(
                f"there is no secret '{name}': set the variable PROCOS_SECRET_{name} for the worker, "
                "or add the name to its secrets_file"
            )
        if secret:
            self._used[secret] = name
            secret_mask.add(secret)
        return secret


def read_input(model: type[BaseModel], variables: Mapping[str, Any]) -> BaseModel:
    """The validated input.

    Raises:
        GiveUp: a variable is missing or wrong; names each field and what is expected.
    """
    names = {info.alias or name for name, info in model.model_fields.items()}
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
    properties = model.model_json_schema().get("properties", {})
    lines = []
    for problem in error.errors(include_url=False, include_input=False):
        path = ".".join(str(part) for part in problem["loc"])
        schema = properties.get(str(problem["loc"][0]), {}) if problem["loc"] else {}
        expected = f", expected {_type_of(schema)}" if schema else ""
        if problem["type"] == "missing":
            lines.append(f"{noun} '{path}' is missing{expected}")
        else:
            lines.append(f"{noun} '{path}' is wrong{expected}: {problem['msg'].removeprefix('Value error, ')}")
    return "; ".join(lines)


def _type_of(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return "one of " + ", ".join(str(value) for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_type_of(option) for option in schema["anyOf"])
    if schema.get("type") == "array" and "items" in schema:
        return f"array of {_type_of(schema['items'])}"
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    kind = str(schema.get("type", "any value"))
    return f"{kind} ({schema['format']})" if "format" in schema else kind


def _mapped(value: Any, function: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, list):
        return [function(item) for item in value]
    if isinstance(value, dict):
        return {function(key): function(item) for key, item in value.items()}
    return value
