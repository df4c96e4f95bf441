"""What is deployed to the engine, and what the engine made of it."""

from dataclasses import dataclass
from typing import Literal

ResourceKind = Literal["process", "decision", "decision requirements", "form"]


@dataclass(frozen=True, slots=True)
class Resource:
    """A BPMN, DMN or form file: `name` is what the engine stores, `content` its bytes."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedResource:
    """One definition as the engine knows it; an unchanged file keeps its `key` and `version`."""

    kind: ResourceKind
    id: str
    version: int
    key: int
    resource_name: str


@dataclass(frozen=True, slots=True)
class Deployment:
    """The engine's answer to one deploy command."""

    key: int
    resources: tuple[DeployedResource, ...]

    @property
    def process_ids(self) -> tuple[str, ...]:
        """The BPMN process ids in this deployment, in the engine's order."""
        return tuple(resource.id for resource in self.resources if resource.kind == "process")
