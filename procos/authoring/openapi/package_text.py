"""The files of the package that is made of an OpenAPI document."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from procos.authoring.openapi.build import Built
from procos.authoring.openapi.code import docstring
from procos.authoring.openapi.declarations import Declaration
from procos.authoring.openapi.models_module import models_module
from procos.authoring.openapi.operations_module import operations_module
from procos.authoring.package_files import filled, shipped


@dataclass(frozen=True, kw_only=True)
class Package:
    """What the package is called and what it holds; `notes` say what is not as the document has it."""

    name: str
    module: str
    title: str
    built: tuple[Built, ...]
    notes: tuple[str, ...]

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of all secrets that its TDEs need."""
        return tuple(dict.fromkeys(secret for one in self.built for secret in one.operation.secrets))


def package_text(package: Package, declarations: Mapping[str, Declaration]) -> dict[str, str]:
    """The texts of the files, by their paths; `declarations` are what the inputs and outputs need."""
    module, built = package.module, package.built
    classes = [model for one in built for model in (one.input, one.output) if model is not None]
    values = {
        "name": package.name,
        "module": module,
        "title": package.title,
        "description": json.dumps(f"TDEs for ProcOS that call {package.title}.", ensure_ascii=False),
        "entry_points": "\n".join(f'{one.tde_name} = "{module}.operations:{one.function}"' for one in built),
        "tdes": "\n".join(
            f"| `{one.tde_name}` | {_cell(one.summary)} | `{one.operation.found.where}` |" for one in built
        ),
        "secrets": _listed("It needs these secrets:", [f"`{secret}`" for secret in package.secrets]),
        "notes": _listed("What is not as the API's document has it:", package.notes),
        "first": built[0].tde_name,
    }
    return {
        "pyproject.toml": filled("openapi/pyproject.toml.txt", values),
        "README.md": filled("openapi/README.md.txt", values),
        ".gitignore": shipped("package/gitignore.txt"),
        f"{module}/__init__.py": "\n".join(docstring(f"TDEs for ProcOS that call {package.title}.")) + "\n",
        f"{module}/py.typed": "",
        f"{module}/calling.py": shipped("openapi/calling.py.txt"),
        f"{module}/models.py": models_module(package.title, declarations, classes),
        f"{module}/operations.py": operations_module(package.title, built),
        "tests/test_operations.py": filled("openapi/test_operations.py.txt", values),
    }


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _listed(heading: str, items: Sequence[str]) -> str:
    return "\n".join(["", heading, "", *(f"- {item}" for item in items), ""]) if items else ""
