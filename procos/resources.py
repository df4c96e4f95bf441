"""The files that ship with ProcOS: kernel BPMN and examples."""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def kernel_bpmn() -> list[Path]:
    """The kernel's own process definitions and forms, sorted by name."""
    return sorted(file for file in (_shipped("bpmn") / "kernel").iterdir() if file.suffix in {".bpmn", ".form"})


def routing_rules() -> Path:
    """The DMN table with which the router's rules begin; people edit what is deployed, not this file."""
    return _shipped("bpmn") / "rules" / "routing-rules.dmn"


def example(name: str) -> Path:
    """The folder of a shipped example."""
    return _shipped("examples") / name


def _shipped(folder: str) -> Path:
    """In a wheel the folder lies inside the package, in a checkout beside it."""
    inside = _PACKAGE / folder
    return inside if inside.is_dir() else _PACKAGE.parent / folder
