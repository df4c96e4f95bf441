"""Reads a FEEL expression into a function of the variables; refuses what a FakeEngine does not know."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from procos.testing.feel.functions import FUNCTIONS
from procos.testing.feel.values import OPERATORS, Value, both, either, from_json, item_at, member

Evaluate = Callable[[Mapping[str, Any]], Value]

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>\d+(?:\.\d+)?|\.\d+)
    | (?P<string>"(?:[^"\\]|\\.)*")
    | (?P<name>(?:is[ ]defined|get[ ]or[ ]else|upper[ ]case|lower[ ]case|string[ ]length)(?=\s*\()|[^\W\d]\w*|`[^`]+`)
    | (?P<sign>!=|<=|>=|\*\*|[-+*/=<>.,:()\[\]{}])
    )""",
    re.VERBOSE,
)
_WORDS: Final = frozenset({"and", "or", "if", "then", "else", "true", "false", "null", "in", "between", "for", "some",
                           "every", "return", "satisfies", "function", "instance", "of"})  # fmt: skip
_BINDING: Final = {"or": 1, "and": 2, "=": 3, "!=": 3, "<": 3, "<=": 3, ">": 3, ">=": 3, "+": 4, "-": 4, "*": 5,
                   "/": 5, "**": 6}  # fmt: skip
_STRONGEST: Final = 7


class FeelError(ValueError):
    """An expression that is not FEEL, or more of FEEL than a FakeEngine knows."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def read(text: str) -> Evaluate:
    """The expression, ready to be evaluated.

    Raises:
        FeelError: it cannot be read; says where.
    """
    reader = _Reader(_tokens(text))
    expression = reader.expression(0)
    reader.expect_end()
    return expression


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise FeelError(f"cannot read {text[at:].strip()[:20]!r} at {at + 1}")
        found.append(_Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup) + 1))
        at = match.end()
    return [*found, _Token("end", "the end", len(text) + 1)]


class _Reader:
    """A reader by operator precedence."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._next = 0

    def expression(self, weakest: int) -> Evaluate:
        """Reads operators that bind more strongly than `weakest`."""
        left = self._path()
        while _BINDING.get(self._peek().text, 0) > weakest and self._peek().kind in {"sign", "name"}:
            operator = self._take().text
            left = _binary(operator, left, self.expression(_BINDING[operator]))
        return left

    def expect_end(self) -> None:
        if self._peek().kind != "end":
            raise self._unexpected()

    def _path(self) -> Evaluate:
        value = self._primary()
        while self._peek().text in {".", "["} and self._peek().kind == "sign":
            if self._take().text == ".":
                value = _member(value, self._name())
            else:
                value = _item(value, self._index())
                self._expect("]")
        return value

    def _primary(self) -> Evaluate:
        token = self._take()
        match token.kind, token.text:
            case "number", text:
                return _constant(Decimal(text))
            case "string", text:
                return _constant(_unquoted(text))
            case "name", _:
                return self._word(token)
            case "sign", _:
                return self._bracketed(token)
        raise self._unexpected(token)

    def _bracketed(self, token: _Token) -> Evaluate:
        match token.text:
            case "-":
                return _binary("-", _constant(Decimal(0)), self.expression(_STRONGEST - 1))
            case "(":
                inner = self.expression(0)
                self._expect(")")
                return inner
            case "[":
                return _list(self._separated("]"))
            case "{":
                return self._context()
        raise self._unexpected(token)

    def _word(self, token: _Token) -> Evaluate:
        if token.text in {"true", "false", "null"}:
            return _constant({"true": True, "false": False, "null": None}[token.text])
        if token.text == "if":
            return self._choice()
        if token.text in _WORDS:
            raise self._unexpected(token)
        if self._peek().text == "(" and self._peek().kind == "sign":
            return self._call(token)
        name = token.text.strip("`")
        return lambda variables: from_json(variables.get(name))

    def _choice(self) -> Evaluate:
        condition = self.expression(0)
        self._expect("then")
        positive = self.expression(0)
        self._expect("else")
        negative = self.expression(0)
        return lambda variables: (positive if condition(variables) is True else negative)(variables)

    def _call(self, token: _Token) -> Evaluate:
        self._take()
        arguments = self._separated(")")
        count, function = FUNCTIONS.get(token.text, (None, None))
        if function is None:
            raise FeelError(f"the function '{token.text}' at {token.at}")
        if len(arguments) != count:
            raise FeelError(f"'{token.text}' at {token.at} with {len(arguments)} arguments")
        return lambda variables: function(*(argument(variables) for argument in arguments))

    def _separated(self, end: str) -> list[Evaluate]:
        items: list[Evaluate] = []
        while self._peek().text != end or self._peek().kind != "sign":
            if items:
                self._expect(",")
            items.append(self.expression(0))
        self._take()
        return items

    def _context(self) -> Evaluate:
        entries: dict[str, Evaluate] = {}
        while self._peek().text != "}":
            if entries:
                self._expect(",")
            key = self._take()
            if key.kind not in {"name", "string"}:
                raise self._unexpected(key)
            self._expect(":")
            entries[_unquoted(key.text) if key.kind == "string" else key.text.strip("`")] = self.expression(0)
        self._take()
        return lambda variables: {key: value(variables) for key, value in entries.items()}

    def _index(self) -> int:
        is_negative = self._peek().text == "-" and self._take().text == "-"
        token = self._take()
        if token.kind != "number" or "." in token.text:
            raise FeelError(f"a filter at {token.at}; only [1] or [-1]")
        return -int(token.text) if is_negative else int(token.text)

    def _name(self) -> str:
        token = self._take()
        if token.kind != "name":
            raise self._unexpected(token)
        return token.text.strip("`")

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._tokens[self._next]
        self._next = min(self._next + 1, len(self._tokens) - 1)
        return token

    def _expect(self, text: str) -> None:
        token = self._take()
        if token.text != text or token.kind == "string":
            raise FeelError(f"expected '{text}' at {token.at}, found {token.text!r}")

    def _unexpected(self, token: _Token | None = None) -> FeelError:
        token = token or self._peek()
        return FeelError(f"{token.text!r} at {token.at}")


def _unquoted(text: str) -> str:
    try:
        return str(json.loads(text, strict=False))
    except ValueError:
        raise FeelError(f"the text {text}") from None


def _constant(value: Value) -> Evaluate:
    return lambda _: value


def _member(value: Evaluate, name: str) -> Evaluate:
    return lambda variables: member(value(variables), name)


def _item(value: Evaluate, index: int) -> Evaluate:
    return lambda variables: item_at(value(variables), index)


def _list(items: list[Evaluate]) -> Evaluate:
    return lambda variables: [item(variables) for item in items]


def _binary(operator: str, left: Evaluate, right: Evaluate) -> Evaluate:
    compute = {"and": both, "or": either}.get(operator) or OPERATORS[operator]
    return lambda variables: compute(left(variables), right(variables))
