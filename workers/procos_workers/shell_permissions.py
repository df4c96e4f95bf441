"""What the TDE `shell` lets a task do: which program, in which folder, with which environment."""

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from procos.sdk import GiveUp
from procos_workers.child_process import handed_through

_LOADING_CODE = (
    "PATH",
    "LD_*",
    "DYLD_*",
    "GLIBC_TUNABLES",
    "GCONV_PATH",
    "LOCPATH",
    "PYTHON*",
    "PERL*",
    "RUBY*",
    "NODE_*",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "_JAVA_OPTIONS",
    "CLASSPATH",
    "BASH_*",
    "SHELLOPTS",
    "BASHOPTS",
    "ENV",
    "IFS",
    "PS4",
    "PROMPT_COMMAND",
    "GIT_CONFIG*",
    "GIT_EXEC_PATH",
    "GIT_SSH*",
    "GIT_ASKPASS",
    "GIT_EDITOR",
    "GIT_PAGER",
    "GIT_EXTERNAL_DIFF",
    "EDITOR",
    "VISUAL",
    "PAGER",
    "BROWSER",
)

SETTABLE = ["*", *(f"!{name}" for name in _LOADING_CODE)]
"""What a task may set unless procos.toml says otherwise: all but what makes programs load or start other code."""


def find_program(name: str, allowed: Sequence[str], folder: Path) -> str:
    """The full path of the program that `name` means in `folder`.

    Raises:
        GiveUp: it is not allowed, or not there.
    """
    if "/" in name:
        # What is allowed is what is started: "..", which would lead elsewhere after a link, is gone from both.
        names = [os.path.normpath(folder / name)]
        found = shutil.which(names[0])
    else:
        found = shutil.which(name, path=os.environ.get("PATH", os.defpath))
        found = found and str(Path(found).absolute())
        names = [name, found] if found else [name]
    if not any(fnmatchcase(each, pattern) for each in names for pattern in allowed):
        raise GiveUp(
            f"the program '{name}' is not on the allow-list of the shell TDE. If it shall run, "
            f'add it under [tde.shell] in procos.toml: programs = ["{names[0]}"]'
        )
    if not found:
        where = (
            f"{names[0]} is no file that may be executed" if "/" in name else "it is in no folder of the worker's PATH"
        )
        raise GiveUp(f"there is no program '{name}': {where}. Install it there, or correct the first item of command")
    return found


def choose_folder(asked: str | None, roots: Iterable[Path]) -> Path:
    """The folder to run in, symbolic links resolved: the first root, or `asked` in the first root that has it.

    Raises:
        GiveUp: the folder is outside every root, or does not exist.
    """
    resolved_roots = [root.expanduser().resolve() for root in roots]
    inside = [path for root in resolved_roots for path in _below(root, asked or ".")]
    if not inside:
        raise GiveUp(
            f"working_folder '{asked}' is outside the folders that the shell TDE may use: "
            f"{', '.join(map(str, resolved_roots))}. Use one of them, or add to roots under [tde.shell] in procos.toml"
        )
    for path in inside:
        if path.is_dir():
            return path
    raise GiveUp(f"working_folder: there is no folder {' or '.join(map(str, inside))}. Make it, or correct the path")


def _below(root: Path, asked: str) -> list[Path]:
    try:
        path = (root / asked).resolve()
    except (OSError, RuntimeError) as error:  # a circle of links, a name that is too long
        raise GiveUp(f"working_folder '{asked}' cannot be followed: {error}. Correct the path") from error
    return [path] if path.is_relative_to(root) else []


def choose_environment(asked: Mapping[str, str], settable: Sequence[str], handed: Iterable[str]) -> dict[str, str]:
    """The program's environment: what is handed through from the worker, and what the task sets.

    Raises:
        GiveUp: the task sets a variable that it may not set.
    """
    refused = [name for name in asked if not _may_set(name, settable)]
    if refused:
        raise GiveUp(
            f"a task may not set the environment variable {', '.join(refused)} for the shell TDE. Leave it out, "
            "or allow it by settable_environment under [tde.shell] in procos.toml"
        )
    return handed_through(handed) | dict(asked)


def _may_set(name: str, settable: Sequence[str]) -> bool:
    deciding = [pattern for pattern in settable if fnmatchcase(name, pattern.removeprefix("!"))]
    return bool(deciding) and not deciding[-1].startswith("!")
