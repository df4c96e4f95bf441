"""`procos tde new`: a package with one TDE, its tests, a process that uses it, and what to do next."""

from collections.abc import Collection
from pathlib import Path

from procos.authoring.package_files import check_package_name, filled, write_package
from procos.errors import UsageError

_NEEDED_BY_THE_TEMPLATES = {"tde", "tests"}


def new_package(name: str, folder: Path, *, is_async: bool = False, taken: Collection[str] = ()) -> Path:
    """Writes the package `name` into a folder of its own below `folder`, and returns that.

    `taken` are the names of the TDEs that are installed.

    Raises:
        UsageError: the name cannot be used or is taken, or the folder is there; nothing is written then.
    """
    if name in taken:
        raise UsageError(f"a TDE '{name}' is installed already", hint=f"choose another name, such as my-{name}")
    module = check_package_name(name, folder, reserved=_NEEDED_BY_THE_TEMPLATES)
    values = {
        "name": name,
        "module": module,
        "title": name.replace("-", " ").capitalize(),
        "model": "".join(word.capitalize() for word in name.split("-")),
        "async_def": "async def" if is_async else "def",
    }
    files = {
        "pyproject.toml": "pyproject.toml.txt",
        f"{module}.py": "module.py.txt",
        f"tests/test_{module}.py": "test_async.py.txt" if is_async else "test_sync.py.txt",
        f"{name}.bpmn": "process.bpmn.txt",
        "README.md": "README.md.txt",
        ".gitignore": "gitignore.txt",
    }
    target = folder / name
    write_package(target, {path: filled(f"package/{template}", values) for path, template in files.items()})
    return target
