"""Values that stand in a task's text, where there is no doubt which input they are."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from procos.routing.schema_kinds import FieldKind

_URL: Final = re.compile(r"https?://[^\s<>\"“”„«»`]+", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_NUMBER: Final = re.compile(r"(?<![\w.,:/-])-?\d+(?:\.\d+)?(?![\w:/-]|[.,]\d)")
_QUOTED: Final = re.compile(r'"([^"\n]+)"|“([^“”\n]+)”|„([^„“”\n]+)[“”]|«([^«»\n]+)»|`([^`\n]+)`')
_REFERENCE: Final = "{{"
_LONGEST: Final = 2_000
_URL_NAMES: Final = ("url", "uri", "link")
_ADDRESS_NAMES: Final = ("email", "mail", "mailaddress", "emailaddress")

Found = tuple[str, Any, str]


@dataclass(frozen=True, slots=True)
class _Source:
    """A sort of value: what it is called, which inputs it may be, and where it stands in a text."""

    what: str
    suits: Callable[[str, FieldKind], bool]
    values: Callable[[str], list[Any]]


def values_in(text: str, fields: Mapping[str, FieldKind]) -> Iterator[Found]:
    """Name, value and description of each input among `fields` that the text holds.

    Only where one input of that sort is open and one such value stands there. Nothing is taken for an input that holds
    a secret, and nothing that would be read as a reference to one.
    """
    usable = {name: kind for name, kind in fields.items() if not kind.is_secret}
    for source in _SOURCES:
        names = [name for name, kind in usable.items() if source.suits(name, kind)]
        values = list(dict.fromkeys(source.values(text)))
        if len(names) == len(values) == 1 and _is_allowed(values[0], usable[names[0]]):
            yield names[0], values[0], source.what
    for name, kind in usable.items():
        if kind.constants and len(words := _constants_in(text, kind)) == 1:
            yield name, words[0], "one of its values"


def _is_allowed(value: Any, kind: FieldKind) -> bool:  # noqa: ANN401 - any JSON value
    if not isinstance(value, str):
        return isinstance(value, int) or "number" in kind.types
    return _REFERENCE not in value and len(value) <= min(_LONGEST, kind.longest or _LONGEST)


def _is_url(name: str, kind: FieldKind) -> bool:
    is_named = name.casefold().replace("_", "").endswith(_URL_NAMES)
    return kind.is_text and not kind.constants and (bool(kind.formats & {"uri", "url"}) or is_named)


def _is_address(name: str, kind: FieldKind) -> bool:
    is_named = name.casefold().replace("_", "") in _ADDRESS_NAMES
    return kind.is_text and not kind.constants and ("email" in kind.formats or is_named)


def _is_number(_: str, kind: FieldKind) -> bool:
    return kind.is_number and not kind.constants


def _is_plain_text(name: str, kind: FieldKind) -> bool:
    is_other = _is_url(name, kind) or _is_address(name, kind)
    return kind.is_text and kind.is_free and not (kind.formats or kind.constants or is_other)


def _urls(text: str) -> list[str]:
    return [_without_tail(url) for url in _URL.findall(text)]


def _without_tail(url: str) -> str:
    """A URL without what belongs to the sentence around it: a bracket that it did not open, a full stop."""
    depth = 0
    for place, sign in enumerate(url):
        depth += (sign in "([") - (sign in ")]")
        if depth < 0:
            return _without_tail(url[:place])
    return url.rstrip(".,;:!?'*")


def _addresses(text: str) -> list[str]:
    return _ADDRESS.findall(_URL.sub(" ", text))


def _numbers(text: str) -> list[float | int]:
    plain = _QUOTED.sub(" ", _ADDRESS.sub(" ", _URL.sub(" ", text)))
    return [float(it) if "." in it else int(it) for it in _NUMBER.findall(plain) if len(it) <= _LONGEST_NUMBER]


def _quoted(text: str) -> list[str]:
    found = ["".join(groups).strip() for groups in _QUOTED.findall(text)]
    return [it for it in found if it and not _URL.fullmatch(it)]


def _constants_in(text: str, kind: FieldKind) -> list[str]:
    words = [it for it in kind.constants if isinstance(it, str) and it]
    return [it for it in words if re.search(rf"(?<!\w){re.escape(it)}(?!\w)", text, re.IGNORECASE)]


_LONGEST_NUMBER: Final = 18
_SOURCES: Final = (
    _Source("the URL", _is_url, _urls),
    _Source("the e-mail address", _is_address, _addresses),
    _Source("the number", _is_number, _numbers),
    _Source("what stands in quotes", _is_plain_text, _quoted),
)
