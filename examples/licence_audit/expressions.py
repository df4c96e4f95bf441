"""SPDX licence expressions: read them, and find the class of one from the classes of its licences.

Grammar (SPDX 2.3, annex D): AND binds tighter than OR, WITH tighter than AND; operators are read in any case.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

LicenceClass = Literal["allowed", "review", "unknown", "forbidden"]

CLASSES: tuple[LicenceClass, ...] = ("allowed", "review", "unknown", "forbidden")
"""From best to worst. Unknown is worse than review: there, somebody has at least said what the licence is."""

_DEEPEST = 40
_TOKEN = re.compile(r"\s*([()]|[A-Za-z0-9.:+-]+)\s*")
_OPERATORS = frozenset({"AND", "OR", "WITH"})
_GNU_WITHOUT_SUFFIX = re.compile(r"(?P<licence>(?:[AL]?GPL|GFDL)-[0-9.]+)(?P<later>\+?)", re.IGNORECASE)


class ExpressionError(ValueError):
    """The text is no SPDX expression."""


@dataclass(frozen=True, slots=True)
class Licence:
    """One licence by its SPDX id, perhaps with an exception (which only ever permits more than the licence alone)."""

    id: str
    exception: str | None = None

    def __str__(self) -> str:
        return f"{self.id} WITH {self.exception}" if self.exception else self.id


@dataclass(frozen=True, slots=True)
class Compound:
    """Two or more expressions that all hold (AND), or of which the user chooses one (OR)."""

    operator: Literal["AND", "OR"]
    parts: tuple["Expression", ...]

    def __str__(self) -> str:
        shown = [
            f"({part})" if isinstance(part, Compound) and part.operator != self.operator else str(part)
            for part in self.parts
        ]
        return f" {self.operator} ".join(shown)


Expression = Licence | Compound


def parse(text: str) -> Expression:
    """Reads an SPDX expression; the old GNU ids (GPL-2.0, GPL-2.0+) become the ones of today.

    Raises:
        ExpressionError: the text is no expression; says where.
    """
    reader = _Reader(list(_tokens(text)), text)
    expression = reader.alternatives(0)
    reader.expect_end()
    return expression


def licences(expression: Expression) -> Iterator[Licence]:
    """Every licence that the expression names, from left to right."""
    if isinstance(expression, Licence):
        yield expression
    else:
        for part in expression.parts:
            yield from licences(part)


def class_of(expression: Expression, class_of_licence: Callable[[Licence], LicenceClass]) -> LicenceClass:
    """The class of the whole: of OR the best, since the user chooses; of AND the worst, since all must hold."""
    if isinstance(expression, Licence):
        return class_of_licence(expression)
    ranks = [CLASSES.index(class_of(part, class_of_licence)) for part in expression.parts]
    return CLASSES[min(ranks) if expression.operator == "OR" else max(ranks)]


def _tokens(text: str) -> Iterator[str]:
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ExpressionError(f"'{text}' is no licence expression: unexpected '{text[position:].strip()[:20]}'")
        yield match[1]
        position = match.end()


class _Reader:
    def __init__(self, tokens: list[str], text: str) -> None:
        self._tokens = tokens
        self._text = text
        self._position = 0

    def alternatives(self, depth: int) -> Expression:
        parts = [self._conjunction(depth)]
        while self._accept("OR"):
            parts.append(self._conjunction(depth))
        return parts[0] if len(parts) == 1 else Compound("OR", tuple(parts))

    def expect_end(self) -> None:
        if self._position < len(self._tokens):
            raise self._error(f"unexpected '{self._tokens[self._position]}'")

    def _conjunction(self, depth: int) -> Expression:
        parts = [self._operand(depth)]
        while self._accept("AND"):
            parts.append(self._operand(depth))
        return parts[0] if len(parts) == 1 else Compound("AND", tuple(parts))

    def _operand(self, depth: int) -> Expression:
        if depth > _DEEPEST:
            raise self._error(f"more than {_DEEPEST} brackets inside each other")
        if self._accept("("):
            inner = self.alternatives(depth + 1)
            if not self._accept(")"):
                raise self._error("a bracket is not closed")
            return inner
        licence_id = _of_today(self._word("a licence"))
        exception = self._word("an exception after WITH") if self._accept("WITH") else None
        return Licence(licence_id, exception)

    def _word(self, expected: str) -> str:
        found = self._tokens[self._position] if self._position < len(self._tokens) else ""
        if not found or found in "()" or found.upper() in _OPERATORS:
            raise self._error(f"{expected} is missing")
        self._position += 1
        return found

    def _accept(self, wanted: str) -> bool:
        if self._position < len(self._tokens) and self._tokens[self._position].upper() == wanted:
            self._position += 1
            return True
        return False

    def _error(self, what: str) -> ExpressionError:
        return ExpressionError(f"'{self._text}' is no licence expression: {what}")


def _of_today(licence_id: str) -> str:
    match = _GNU_WITHOUT_SUFFIX.fullmatch(licence_id)
    if match is None:
        return licence_id
    return match["licence"].upper() + ("-or-later" if match["later"] else "-only")
