"""Packages made of the OpenAPI documents beside this file, imported as a kernel would import them."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from procos.authoring.openapi import Generated, from_openapi

SPECS = Path(__file__).parent / "openapi_specs"


@contextmanager
def imported(made: Generated) -> Iterator[ModuleType]:
    """The module with the TDEs, importable inside the block only."""
    package = made.folder.name.replace("-", "_")
    sys.path.insert(0, str(made.folder))
    importlib.invalidate_caches()
    try:
        yield importlib.import_module(f"{package}.operations")
    finally:
        sys.path.remove(str(made.folder))
        for name in [name for name in sys.modules if name.partition(".")[0] == package]:
            del sys.modules[name]


def made_of(spec: str, folder: Path, **options) -> Generated:
    """Made without the import that the command does before it writes; `imported` does it."""
    return from_openapi(str(SPECS / spec), folder, is_imported=False, **options)
