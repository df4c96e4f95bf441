"""Python source, laid out so that a formatter has nothing to change."""

import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Union

WIDTH: Final = 88
_LONGEST_DESCRIPTION: Final = 400

Value = Union[str, "Call"]


@dataclass(frozen=True)
class Call:
    """A call or a subscript: `head(name=value, …)`; an argument without a name has an empty one."""

    head: str
    arguments: Sequence[tuple[str, Value]]
    brackets: str = "()"

    def __str__(self) -> str:
        """All in one line."""
        inside = ", ".join(f"{_named(name)}{value}" for name, value in self.arguments)
        return f"{self.head}{self.brackets[0]}{inside}{self.brackets[1]}"


def _named(name: str) -> str:
    return f"{name}=" if name else ""


def layout(prefix: str, value: Value, suffix: str = "", *, indent: int = 0) -> list[str]:
    """The lines of `prefix value suffix`: one if it fits, else one for each argument."""
    space = " " * indent
    line = f"{space}{prefix}{value}{suffix}"
    if isinstance(value, str) or len(line) <= WIDTH or not value.arguments:
        return [line]
    lines = [f"{space}{prefix}{value.head}{value.brackets[0]}"]
    for name, argument in value.arguments:
        lines += layout(_named(name), argument, ",", indent=indent + 4)
    return [*lines, f"{space}{value.brackets[1]}{suffix}"]


def union_alias(name: str, members: str) -> list[str]:
    """The lines of `name = A | B`."""
    line = f"{name} = {members}"
    if len(line) <= WIDTH or " | " not in members or "[" in members:
        return [line]
    first, *others = members.split(" | ")
    return [f"{name} = (", f"    {first}", *(f"    | {other}" for other in others), ")"]


def listed_values(values: Iterable[Value]) -> Call:
    """A list."""
    return Call("", [("", value) for value in values], "[]")


def quoted(text: str) -> str:
    """`text` as a literal, in the quotes that need the fewest escapes."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    return quote + "".join(_escaped(sign, quote) for sign in text) + quote


def _escaped(sign: str, quote: str) -> str:
    if sign in {quote, "\\"}:
        return f"\\{sign}"
    if sign.isprintable():
        return sign
    short = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return short.get(sign) or (f"\\u{ord(sign):04x}" if len(hex(ord(sign))) <= len("0xffff") else f"\\U{ord(sign):08x}")


def one_line(text: str) -> str:
    """The first paragraph of `text` in one line, with nothing in it that cannot be printed; cut where it is long."""
    paragraph = text.strip().partition("\n\n")[0]
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in paragraph).split())
    return line if len(line) <= _LONGEST_DESCRIPTION else line[: _LONGEST_DESCRIPTION - 1].rstrip() + "…"


def docstring(*paragraphs: str, indent: int = 0) -> list[str]:
    """The lines of a docstring; each paragraph is wrapped."""
    space = " " * indent
    texts = [_harmless(one_line(paragraph)) for paragraph in paragraphs if paragraph.strip()]
    if len(texts) == 1 and len(texts[0]) + 6 + indent <= WIDTH:
        return [f'{space}"""{_padded(texts[0])}"""']
    lines: list[str] = []
    for number, text in enumerate(texts):
        first = '"""' if number == 0 else ""
        if number == 0 and text.startswith('"'):
            first += " "
        wrapped = textwrap.wrap(first + text, WIDTH - indent, break_long_words=False, break_on_hyphens=False)
        lines += [*([""] if number else []), *(space + line for line in wrapped)]
    return [*lines, f'{space}"""']


def _harmless(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"""', "'''")


def _padded(text: str) -> str:
    """A quote at either end would end the docstring, or begin it late."""
    return (" " if text.startswith('"') else "") + text + (" " if text.endswith('"') else "")


def comment(text: str) -> list[str]:
    """The lines of a comment."""
    return textwrap.wrap(one_line(text), WIDTH, initial_indent="# ", subsequent_indent="# ", break_long_words=False)


def import_lines(module: str, names: Sequence[str]) -> list[str]:
    """The lines of `from module import names`."""
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= WIDTH:
        return [line]
    return [f"from {module} import (", *(f"    {name}," for name in names), ")"]


def as_sorters_do(name: str) -> tuple[int, list[tuple[int, str]], str]:
    """The key by which import sorters order names."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    digits_apart = re.split(r"([0-9]+)", name.lower())
    return kind, [(int(part), "") if part.isdigit() else (0, part) for part in digits_apart], name
