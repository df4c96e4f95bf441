"""The text of a statement, read as far as needed: where its parameters stand, and that it is one statement.

Values never become part of the text; what is read here is what the process's author wrote.
"""

import re
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Final

_WORD = r"(?P<word>[^\W\d][\w$]*)"
_PARAMETER = r"(?<![\w$:]):(?P<parameter>[^\W\d]\w*)"
_SHARED = rf"(?P<end>;)|::|:=|{_PARAMETER}|{_WORD}|(?P<space>\s+)|\d[\w.]*|."
_QUOTED = r"'(?:[^']|'')*(?:'|\Z)|\"(?:[^\"]|\"\")*(?:\"|\Z)"
_POSTGRES = re.compile(
    rf"(?P<comment>--[^\n]*|/\*)|(?P<quoted>[eE]'(?:[^'\\]|''|\\.)*(?:'|\Z)|{_QUOTED}"
    rf"|\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z))|{_SHARED}",
    re.DOTALL,
)
_SQLITE = re.compile(
    rf"(?P<comment>--[^\n]*|/\*)|(?P<quoted>{_QUOTED}|`(?:[^`]|``)*(?:`|\Z)|\[[^\]]*(?:\]|\Z))|{_SHARED}", re.DOTALL
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")

_READING: Final = frozenset({"SELECT", "VALUES", "TABLE", "WITH"})
_CHANGING: Final = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE", "INTO"})
_TRANSACTION: Final = frozenset({"BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE"})
_LIST_WORDS: Final = frozenset({"ANY", "ALL", "SOME"})


class UnfitStatement(ValueError):
    """The TDE does not run such a statement; says why, and what to write instead."""


class Use(Enum):
    """How a statement uses a parameter."""

    PLAIN = "one value"
    MEMBER = "one of the values in IN (…)"
    LIST = "the values behind IN"
    ARRAY = "the array inside ANY()"


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str


@dataclass(frozen=True)
class Statement:
    """One statement, read: `uses` says how it uses each of its parameters, in the order in which they appear."""

    text: str
    tokens: tuple[_Token, ...]
    uses: dict[str, Use]

    @cached_property
    def _words(self) -> tuple[str, ...]:
        return tuple(token.text.upper() for token in self.tokens if token.kind == "word")

    @property
    def only_reads(self) -> bool:
        """Whether it certainly changes nothing by itself; a function that it calls may."""
        first = self._words[0] if self._words else ""
        return first in {*_READING, "EXPLAIN"} and _CHANGING.isdisjoint(self._words)

    @property
    def is_query(self) -> bool:
        """Whether it is one that a cursor of the server can be opened for."""
        return self.only_reads and self._words[0] != "EXPLAIN"

    @property
    def gives_rows(self) -> bool:
        """Whether it gives rows, as far as its words tell."""
        return self.only_reads or "RETURNING" in self._words

    @property
    def bound_text(self) -> str:
        """The text for SQLAlchemy's `text()`: a colon that is not a parameter's is marked as a plain one."""
        return "".join(
            token.text if token.kind == "parameter" else token.text.replace(":", "\\:") for token in self.tokens
        )

    def locate(self, position: int, *, opening: int) -> str:
        """Where the statement has the character that PostgreSQL counts as number `position` (from 1).

        It saw `opening` characters before the statement, and $1, $2 in place of :names. Says nothing where a list
        stood for one of these: its length is not known here.
        """
        wanted = position - 1 - opening
        if wanted < 0 or Use.LIST in self.uses.values():
            return ""
        sent = written = 0
        numbers: dict[str, str] = {}
        for token in self.tokens:
            seen = len(token.text)
            if token.kind == "parameter":
                seen = len(numbers.setdefault(token.text, f"${len(numbers) + 1}"))
            if sent + seen > wanted:
                written += min(wanted - sent, len(token.text) - 1)
                break
            sent, written = sent + seen, written + len(token.text)
        before = self.text[:written]
        return f" (line {before.count(chr(10)) + 1}, column {written - before.rfind(chr(10))})"


def read_statement(text: str, *, is_sqlite: bool) -> Statement:
    """Reads a statement.

    Raises:
        UnfitStatement: it is empty, it is several, it begins or ends a transaction, or it is a COPY.
    """
    tokens = _without_end(_tokens(text, is_sqlite=is_sqlite))
    meaning = [token for token in tokens if token.kind not in {"space", "comment"}]
    if not meaning:
        raise UnfitStatement("the statement is empty: write one SQL statement")
    if any(token.kind == "end" for token in meaning):
        raise UnfitStatement(
            "this is more than one statement (there is text behind a ';'): give each as one of 'statements', which run"
            " in one transaction"
        )
    _check_kind([token.text.upper() for token in meaning[:2]])
    return Statement(text=text, tokens=tuple(tokens), uses=_uses(meaning, is_sqlite=is_sqlite))


def _check_kind(words: list[str]) -> None:
    if words[0] in _TRANSACTION or words == ["PREPARE", "TRANSACTION"]:
        raise UnfitStatement(
            f"{words[0]} is not for a task: the TDE begins a transaction, and commits it when all statements have run;"
            " leave it out"
        )
    if words[0] == "COPY":
        raise UnfitStatement("COPY is not for a task: use INSERT with a list of parameters, or SELECT")


def _tokens(text: str, *, is_sqlite: bool) -> list[_Token]:
    pattern = _SQLITE if is_sqlite else _POSTGRES
    tokens: list[_Token] = []
    position = 0
    while match := pattern.match(text, position):
        end = match.end()
        if match["comment"] == "/*":
            end = _end_of_comment(text, end, nests=not is_sqlite)
        kind = "comment" if match["comment"] else match.lastgroup or "other"
        tokens.append(_Token("quoted" if match["quoted"] else kind, text[position:end]))
        position = end
    return tokens


def _end_of_comment(text: str, position: int, *, nests: bool) -> int:
    depth = 1
    while depth and (edge := _COMMENT_EDGE.search(text, position)):
        position = edge.end()
        if edge[0] == "*/":
            depth -= 1
        elif nests:
            depth += 1
    return len(text) if depth else position


def _without_end(tokens: list[_Token]) -> list[_Token]:
    """Drops a last ';', behind which there may be comments; a cursor cannot be declared with it."""
    last = next(
        (index for index in reversed(range(len(tokens))) if tokens[index].kind not in {"space", "comment"}), None
    )
    if last is None or tokens[last].kind != "end":
        return tokens
    return _without_end(tokens[:last])


def _uses(meaning: list[_Token], *, is_sqlite: bool) -> dict[str, Use]:
    uses: dict[str, Use] = {}
    texts = ["", "", *(token.text.upper() if token.kind == "word" else token.text for token in meaning)]
    for index, token in enumerate(meaning, start=2):
        if token.kind != "parameter":
            continue
        name, use = token.text[1:], _use_behind(texts[index - 2], texts[index - 1], is_sqlite=is_sqlite)
        known = uses.setdefault(name, use)
        if known is not use and not {known, use} <= {Use.PLAIN, Use.MEMBER}:
            raise UnfitStatement(
                f":{name} stands behind IN or inside ANY, and elsewhere too: use two parameters, one for the list"
            )
        if use is Use.MEMBER:
            uses[name] = use
    return uses


def _use_behind(second_last: str, last: str, *, is_sqlite: bool) -> Use:
    if last == "IN":
        return Use.LIST
    if last != "(":
        return Use.PLAIN
    if second_last == "IN":
        return Use.MEMBER
    return Use.ARRAY if second_last in _LIST_WORDS and not is_sqlite else Use.PLAIN
