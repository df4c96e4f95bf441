"""A new package on disk: its name is checked first, its files appear all at once or not at all."""

import importlib.metadata
import importlib.util
import keyword
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from string import Template
from typing import Final

from procos.errors import UsageError

LONGEST_NAME: Final = 63
"""In characters: what the `@tde` decorator takes."""

_TEMPLATES = Path(__file__).parent / "templates"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def check_package_name(name: str, folder: Path, *, reserved: Collection[str] = ()) -> str:
    """The module name for a package `name` in `folder`, if it is free: `send-invoice` gives `send_invoice`.

    Raises:
        UsageError: the name is not well-formed, a Python keyword, among the module names `reserved`, a module or a
            package that is installed, or a folder that is there; says what to do.
    """
    if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise UsageError(f"'{name[:80]}' cannot be the name of a package", hint=_better(name))
    module = name.replace("-", "_")
    if keyword.iskeyword(module):
        raise UsageError(f"'{name}' is a keyword of Python, so nobody could import it", hint=_another(name))
    if module in reserved:
        raise UsageError(f"'{name}' is a name that the package itself needs", hint=_another(name))
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}", hint="make it, or name another with --folder")
    if (folder / name).exists() or (folder / name).is_symlink():
        raise UsageError(f"{folder / name} is there already; nothing was changed", hint="choose another name or folder")
    _refuse_installed(name, module)
    return module


def _refuse_installed(name: str, module: str) -> None:
    if module in sys.stdlib_module_names or importlib.util.find_spec(module) is not None:
        raise UsageError(f"a module '{module}' is installed already, and one would hide the other", hint=_another(name))
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return
    raise UsageError(f"a package '{name}' is installed already", hint=_another(name))


def _better(name: str) -> str:
    wanted = tidy_name(name)
    rule = f"use lower-case letters, digits and single hyphens, a letter first, at most {LONGEST_NAME} characters"
    return f"{rule}: {wanted}" if wanted != name and _NAME.fullmatch(wanted) else rule


def _another(name: str) -> str:
    return f"choose another name, such as my-{name}"


def tidy_name(text: str) -> str:
    """`text` as the name of a package or a TDE, as near as it gets; empty where nothing of it can stay."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", text)
    tidy = re.sub(r"[^a-z0-9]+", "-", split.lower()).strip("-")
    return re.sub(r"^[0-9-]+", "", tidy)[:LONGEST_NAME].rstrip("-")


def shipped(template: str) -> str:
    """A shipped template as it is; its path below `templates/`."""
    return (_TEMPLATES / template).read_text(encoding="utf-8")


def filled(template: str, values: Mapping[str, str]) -> str:
    """A shipped template with each `$name` replaced."""
    return Template(shipped(template)).substitute(values)


def write_package(target: Path, files: Mapping[str, str], *, check: Callable[[Path], None] | None = None) -> None:
    """Writes `files`, texts by their paths below `target`, which must not be there yet.

    They are written into a hidden folder beside it that gets its name at the end, if `check` raises nothing about it:
    nothing half written stays.

    Raises:
        UsageError: the disk refuses.
    """
    beside = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
    try:
        for path, text in files.items():
            file = beside / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="\n")
        if check is not None:
            check(beside)
        beside.rename(target)
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}; nothing was left behind") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def check_import(module: str, folder: Path) -> None:
    """Imports `module` of the package in `folder`, in a Python of its own, so that what was written is known to work.

    Raises:
        UsageError: it cannot be imported; says why.
    """
    script = "import sys; sys.path.insert(0, sys.argv[1]); __import__(sys.argv[2])"
    command = [sys.executable, "-B", "-c", script, str(folder.absolute()), module]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return
    if "RecursionError" in done.stderr:
        raise UsageError(
            "the objects of this API lead to each other in longer chains than pydantic can follow; nothing was written",
            hint="make fewer operations, with --operation",
        )
    reason = done.stderr.strip().rpartition("\n")[2]
    raise UsageError(
        f"the code for this document cannot be imported ({reason}); nothing was written",
        hint="please report it; until then, leave the operation out by naming the others with --operation",
    )
