"""Every command that a page prints is run in a scratch checkout, in the order of the page, and does what is said."""

import re

import pytest

from tests.docs.conftest import Shell
from tests.docs.pages import Block, blocks, pages_with

NOT_RUN_HERE = {
    "make demo": "tests/house runs it, in a fresh clone",
    "make test": "is this very run",
}
BOOTS = re.compile(r"\$ procos (boot|engine start)")
MOST_PAGES_THAT_BOOT = 5
"""A boot takes ten seconds and half a gigabyte; say things on a page that boots already."""

PAGES = pages_with("console")


def boots(page: str) -> bool:
    return any(BOOTS.search(block.text) and "exit" not in block.options for block in blocks(page))


ENGINE_MARKS = [pytest.mark.engine, pytest.mark.xdist_group("docs-engine")]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", [pytest.param(page, marks=ENGINE_MARKS if boots(page) else []) for page in PAGES])
def test_commands_of_a_page_do_what_it_says(shell: Shell, page: str) -> None:
    for block in blocks(page):
        if "file" in block.options:
            (shell.folder / block.options["file"]).write_text(block.text, encoding="utf-8")
        if block.language == "console":
            run(shell, page, block)


def run(shell: Shell, page: str, block: Block) -> None:
    """Runs a block; `exit=N` is the exit code of its last command, all others end with 0."""
    where = f"{page}, the block at line {block.line}"
    found = commands(block, where)
    for number, (command, printed) in enumerate(found, start=1):
        if command in NOT_RUN_HERE:
            continue
        code, output = shell(command)
        expected = int(block.options.get("exit", "0")) if number == len(found) else 0
        assert code == expected, f"{where}: `{command}` ended with {code}, not {expected}:\n{output}"
        missing = first_missing(printed, output)
        assert missing is None, f"{where}: `{command}` does not print {missing!r}, but:\n{output}"


def commands(block: Block, where: str) -> list[tuple[str, list[str]]]:
    """The commands of a block, each with the output that the page shows for it."""
    found: list[tuple[str, list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append((line.removeprefix("$ "), []))
        elif line.strip():
            assert found, f"{where}: output before the first command; a command begins with '$ '"
            found[-1][1].append(line)
    assert found, f"{where}: no command; a command begins with '$ '"
    return found


def first_missing(printed: list[str], output: str) -> str | None:
    """The first shown line that the output lacks, in order; `…` stands for anything, a space for any white space."""
    lines = iter(output.splitlines())
    for shown in printed:
        pattern = re.escape(" ".join(shown.split())).replace("…", ".*")
        if not any(re.fullmatch(pattern, " ".join(line.split())) for line in lines):
            return shown
    return None


def test_few_pages_boot_an_engine() -> None:
    assert len([page for page in PAGES if boots(page)]) <= MOST_PAGES_THAT_BOOT


def test_what_is_not_run_is_printed_somewhere() -> None:
    printed = {command for page in PAGES for block in blocks(page) if block.language == "console"
               for command, _ in commands(block, page)}  # fmt: skip
    assert set(NOT_RUN_HERE) <= printed


@pytest.mark.parametrize(
    ("shown", "output", "missing"),
    [
        (["ready: … at 127.0.0.1:…"], "noise\nready: Zeebe at 127.0.0.1:26500\n", None),
        (["a   b"], "a b  \n", None),
        (["b", "a"], "a\nb\n", "a"),
        (["read"], "ready\n", "read"),
        (["1.0"], "1x0\n", "1.0"),
    ],
)
def test_shown_output_is_compared_line_by_line_in_order(shown: list[str], output: str, missing: str | None) -> None:
    assert first_missing(shown, output) == missing
