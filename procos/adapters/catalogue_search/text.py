"""A text in pieces for the search: words, their stems and pairs, runs of characters, and clauses."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

LONGEST_TEXT: Final = 4_000
"""Characters that are read of a task or an entry; what follows says little about which TDE is meant, and costs time."""

_MOST_CLAUSES: Final = 16
# Han, Hiragana, Katakana and Thai are written without spaces: their characters are taken in pairs.
_UNSPACED: Final = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
_WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")  # noqa: RUF001
_PLURAL: Final = re.compile(r"([^\W\d_]{2,}?)(ies)|([^\W\d_]{3,}(?<![sui]))s")
_CAMEL: Final = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_VERSION: Final = re.compile(r"(?<![^\W_])\d+(?:[_.-]\d+)+(?![^\W_])|__\d+(?:_\d+)*__")
_CLAUSE_END: Final = re.compile(
    r"[.;:!?,()\n\r\t。！？、，；：؟،؛]+(?=\s|$|[^\x00-\x7f])"  # noqa: RUF001
    r"|\b(?P<word>and|then|but|or|finally|next|before|after|otherwise|else|if|when|unless|while|instead of"
    r"|as well as)\b"
    r"|\b(?=for each\b|for every\b)",
    re.IGNORECASE,
)
_BEFORE_A_CONDITION: Final = frozenset({"if", "when", "unless", "while"})
# One of each group says nearly the same as another: who draws a process writes "get" where a TDE "retrieves".
_DEEDS: Final = {
    "retrieve": "retrieve get list fetch read find look search show load query download",
    "create": "create add new make insert post open submit write register upload put build enter",
    "update": "update change modify edit set replace upsert rename",
    "delete": "delete remove cancel drop erase clear",
    "send": "send notify message mail email post publish share",
}
_DEED_OF: Final = {
    word: frozenset(deed for deed, said in _DEEDS.items() if word in said.split())
    for word in " ".join(_DEEDS.values()).split()
}


def clean(text: str) -> str:
    """`text` in one spelling (NFKC) and of at most `LONGEST_TEXT` characters, without what UTF-8 cannot say."""
    encodable = text[:LONGEST_TEXT].encode(errors="replace").decode().replace("\x00", " ")
    return unicodedata.normalize("NFKC", encodable)[:LONGEST_TEXT]


def readable(name: str) -> str:
    """An identifier as words: `Slack_message__3_0_0__createMessage` is `Slack message create Message`."""
    return " ".join(_CAMEL.sub(" ", _VERSION.sub(" ", name).replace("_", " ").replace("-", " ")).split())


def words(text: str) -> list[str]:
    """The stems of the words of `text`, in their order; pairs of characters for scripts without spaces."""
    found: list[str] = []
    for match in _WORD.finditer(text.casefold()):
        found.extend(_parts(match.group()))
    return found


@dataclass(frozen=True)
class Clause:
    """A part of a text that may ask for something of its own; a condition tells when, seldom what."""

    text: str
    is_condition: bool = False


def clauses(text: str) -> list[Clause]:
    """The clauses of `text`, at most 16, without repetitions; none of a text without words."""
    found: dict[str, Clause] = {}
    start, is_condition = 0, False
    for end in [*_CLAUSE_END.finditer(text), None]:
        part = text[start : end.start() if end else len(text)].strip()
        if words(part):
            found.setdefault(part, Clause(part, is_condition))
        if end:
            start, is_condition = end.end(), (end["word"] or "").lower() in _BEFORE_A_CONDITION
    return list(found.values())[:_MOST_CLAUSES]


def deeds(terms: Iterable[str]) -> set[str]:
    """What is done, by the words that say it: "get" and "list" are both `retrieve`."""
    return {deed for term in terms for deed in _DEED_OF.get(term, ())}


def initials(name: str) -> set[str]:
    """The initials of three and four neighbouring words: `cos` for `IBM Cloud Object Storage`."""
    heads = [word[0].casefold() for word in name.split() if word[0].isalpha()]
    return {"".join(heads[i : i + size]) for size in (3, 4) for i in range(len(heads) - size + 1)}


def word_terms(text: str) -> Counter[str]:
    """Words, counted."""
    return Counter(words(text))


def phrase_terms(text: str) -> Counter[str]:
    """Runs of 2 to 6 characters, across words too, counted: they tell "pay in" from "in pay"."""
    return Counter(_runs(f" {' '.join(text.casefold().split())} ", 2, 6))


def character_terms(text: str, *, shortest: int = 3, longest: int = 5) -> Counter[str]:
    """Runs of `shortest` to `longest` characters inside words, counted; a space marks where a word begins and ends."""
    terms: Counter[str] = Counter()
    for match in _WORD.finditer(text.casefold()):
        terms.update(_runs(f" {match.group()} ", shortest, longest))
    return terms


def _runs(word: str, shortest: int, longest: int) -> Iterator[str]:
    for length in range(shortest, longest + 1):
        for start in range(len(word) - length + 1):
            yield word[start : start + length]


def _parts(word: str) -> Iterator[str]:
    if not _UNSPACED.search(word):
        yield _stem(word)
        return
    for run in _UNSPACED.findall(word):
        yield from (run[i : i + 2] for i in range(len(run) - 1)) if len(run) > 1 else (run,)
    yield from (_stem(rest) for rest in _UNSPACED.split(word) if rest)


def _stem(word: str) -> str:
    """The singular of an English plural; other words stay."""
    if match := _PLURAL.fullmatch(word):
        return match[3] or f"{match[1]}y"
    return word
