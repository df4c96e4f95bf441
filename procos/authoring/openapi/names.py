"""Names of an OpenAPI document made into names that Python takes, each given out once."""

import keyword
import re
from typing import Final

from pydantic import BaseModel

_TAKEN_BY_PYDANTIC: Final = frozenset(dir(BaseModel)) | {"model_config"}
_TAKEN_BY_TYPES: Final = frozenset(
    {"str", "int", "float", "bool", "list", "dict", "date", "datetime", "type", "tuple", "set", "object", "bytes"}
)
"""A field by one of these names would hide the type from the annotations below it."""

_OWN: Final = frozenset(
    {
        "Annotated", "Any", "ApiConfig", "ApiKey", "BaseModel", "Basic", "Bearer", "Body", "ConfigDict", "Field",
        "Input", "JsonValue", "Literal", "Model", "Nullable", "Operation", "Parameter", "TaskContext", "TypeAliasType",
        "UUID", "None", "True", "False",
    }
)  # fmt: skip
_OWN_FUNCTIONS: Final = frozenset({"tde", "time_limit", "server", *(f"server_{number}" for number in range(2, 100))})


class Names:
    """Gives each name out once; who comes second gets a number, with `between` before it."""

    def __init__(self, reserved: frozenset[str] = frozenset(), *, between: str = "_") -> None:
        self._between = between
        self._reserved = reserved
        self._taken = set(reserved)

    def claim(self, wanted: str) -> str:
        """`wanted`, or with the first number that makes it free; with a `_` where Python or pydantic has the name."""
        if wanted in self._reserved:
            wanted += "_"
        name, number = wanted, 1
        while name in self._taken:
            number += 1
            name = f"{wanted}{self._between}{number}"
        self._taken.add(name)
        return name


def names_of_classes() -> Names:
    """Names for classes of the generated package."""
    return Names(_OWN, between="")


def names_of_functions() -> Names:
    """Names for functions of the generated package."""
    return Names(_OWN_FUNCTIONS)


def names_of_fields() -> Names:
    """Names for fields of one class."""
    return Names(_TAKEN_BY_PYDANTIC | _TAKEN_BY_TYPES)


def class_name(text: str) -> str:
    """`text` in PascalCase: `pet-item` gives PetItem."""
    name = "".join(word[:1].upper() + word[1:] for word in _words(text))
    return name if name[:1].isalpha() else f"Object{name}"


def variable_name(text: str) -> str:
    """`text` in snake_case, as a field or a function: `petType` gives pet_type, `class` gives class_."""
    split = [re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", word) for word in _words(text)]
    name = re.sub("_+", "_", "_".join(split)).lower()
    if not name[:1].isalpha():
        name = f"value_{name}".rstrip("_")
    return f"{name}_" if keyword.iskeyword(name) else name


def process_variable(text: str) -> str:
    """`text` where an expression of a process can use it as a name: `X-Request-ID` gives x_request_id."""
    return text if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", text) else variable_name(text)


def _words(text: str) -> list[str]:
    return re.findall(r"[A-Za-z0-9]+", text)
