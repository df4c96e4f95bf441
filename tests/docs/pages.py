"""The pages of the documentation, and the blocks of code in them."""

import re
import shlex
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>\S.*)$")


@dataclass(frozen=True)
class Block:
    """One block of code: what stands behind the fence (`console exit=1`), and the text; `line` is the fence's."""

    line: int
    language: str
    options: dict[str, str]
    text: str


@cache
def project_files() -> tuple[str, ...]:
    """Every file that belongs to the project, committed or not yet, by its path from the root."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(sorted(path for path in set(listed.split("\0")) if path and (ROOT / path).is_file()))


def pages() -> list[str]:
    """Every page that people read, by its path from the root."""
    return [path for path in project_files() if path.endswith(".md") and not path.startswith("tests/")]


def pages_with(*languages: str) -> list[str]:
    """The pages that hold a block in one of these languages."""
    return [page for page in pages() if any(block.language in languages for block in blocks(page))]


@cache
def blocks(page: str) -> tuple[Block, ...]:
    """The blocks of a page, in order."""
    found: list[Block] = []
    lines = iter(enumerate((ROOT / page).read_text(encoding="utf-8").splitlines(), start=1))
    for number, line in lines:
        fence = _FENCE.match(line)
        if fence is None:
            continue
        indent = len(fence["indent"])
        inside = []
        for _, inner in lines:
            if inner.strip() == "```":
                break
            inside.append(inner[indent:])
        else:
            raise AssertionError(f"{page}, line {number}: the block has no end")
        language, *words = shlex.split(fence["info"])
        options = dict(word.split("=", 1) for word in words)
        found.append(Block(number, language, options, "\n".join(inside) + "\n"))
    return tuple(found)


def prose(page: str) -> str:
    """A page without its blocks of code and without code inside lines."""
    text = (ROOT / page).read_text(encoding="utf-8")
    text = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "", text)
