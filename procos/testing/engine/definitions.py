"""What was deployed to a FakeEngine: processes in versions."""

from collections.abc import Sequence

from procos.errors import EngineNotFound, EngineRejected
from procos.model.deployment import DeployedResource, Deployment, Resource
from procos.testing.bpmn.model import Process
from procos.testing.bpmn.reader import BpmnRefused, read_processes
from procos.testing.engine.state import Definition, Keys
from procos.testing.engine.variables import LARGEST_MESSAGE

_BPMN = (".bpmn", ".bpmn20.xml")


class Definitions:
    """Every version of every process."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._versions: dict[str, list[Definition]] = {}

    def deploy(self, resources: Sequence[Resource]) -> Deployment:
        """Takes all of `resources`, or none; an unchanged file keeps its version.

        Raises:
            EngineRejected: one of them is refused; the reason names the file and the element.
        """
        doing = "deploy " + ", ".join(resource.name for resource in resources)
        if not resources:
            reason = "Expected to deploy at least one resource, but none given"
            raise EngineRejected(f"cannot {doing}: {reason}", reason=reason)
        if sum(len(resource.content) for resource in resources) > LARGEST_MESSAGE:
            reason = f"gRPC message exceeds maximum size {LARGEST_MESSAGE}"
            raise EngineRejected(f"cannot {doing}: {reason}", reason=reason)
        problems: list[str] = []
        found = [(resource, process) for resource in resources for process in _read(resource, problems)]
        problems += _duplicates(found)
        if problems:
            reason = "\n".join(["Expected to deploy new resources, but encountered the following errors:", *problems])
            raise EngineRejected(f"cannot {doing}: {reason}", reason=reason)
        return Deployment(
            self._keys.next(),
            tuple(
                self.keep(process, resource_name=resource.name, content=resource.content).deployed
                for resource, process in found
            ),
        )

    def newest(self, process_id: str) -> Definition | None:
        """The newest version, if there is one."""
        versions = self._versions.get(process_id)
        return versions[-1] if versions else None

    def find(self, process_id: str, version: int | None) -> Definition:
        """The newest version, or the given one.

        Raises:
            EngineNotFound: there is none.
        """
        versions = self._versions.get(process_id, [])
        wanted = version or len(versions)
        if 0 < wanted <= len(versions):
            return versions[wanted - 1]
        which = f" and version '{version}'" if version else ""
        raise EngineNotFound(
            f"cannot start an instance of '{process_id}': "
            f"Expected to find process definition with process ID '{process_id}'{which}, but none found"
        )

    def keep(self, process: Process, *, resource_name: str = "", content: bytes = b"") -> Definition:
        """The newest version, if it is the same; else a new one."""
        versions = self._versions.setdefault(process.id, [])
        if versions and versions[-1].is_of(process, resource_name, content):
            return versions[-1]
        deployed = DeployedResource(
            kind="process", id=process.id, version=len(versions) + 1, key=self._keys.next(), resource_name=resource_name
        )
        versions.append(Definition(deployed, process, content))
        return versions[-1]


def _read(resource: Resource, problems: list[str]) -> Sequence[Process]:
    if not resource.name.endswith(_BPMN):
        problems.append(
            f"'{resource.name}': unknown resource type; FakeEngine takes BPMN only, a real engine DMN and forms"
        )
        return ()
    try:
        return read_processes(resource.content)
    except BpmnRefused as refused:
        problems.append(f"'{resource.name}': {refused}")
        return ()


def _duplicates(found: Sequence[tuple[Resource, Process]]) -> list[str]:
    first: dict[str, str] = {}
    problems: list[str] = []
    for resource, process in found:
        if process.id in first:
            problems.append(f"Duplicated process id in resources '{first[process.id]}' and '{resource.name}'")
        first.setdefault(process.id, resource.name)
    return problems
