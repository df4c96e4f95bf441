"""What is known of a server's services: protobuf descriptors, from files or from the server itself."""

import functools
import importlib
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from google.protobuf.descriptor import FileDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError

from procos.sdk import GiveUp

_WELL_KNOWN = "google/protobuf/"


class BadDescriptors(ValueError):
    """The descriptors do not fit together; says why."""


class Descriptors:
    """Descriptors that belong together, and their pool; more can be added."""

    def __init__(self) -> None:
        self.pool = DescriptorPool()
        self._files: set[str] = set()

    def add(self, files: Iterable[FileDescriptorProto]) -> None:
        """Adds files, each after those that it imports; files that are there already are left as they are.

        Raises:
            BadDescriptors: an import is missing, or two files contradict each other.
        """
        new = {file.name: file for file in files if file.name not in self._files}
        try:
            order = tuple(TopologicalSorter({name: file.dependency for name, file in new.items()}).static_order())
        except CycleError:
            raise BadDescriptors("files import each other in a circle") from None
        for name in order:
            if name not in self._files:
                self._add(name, new)

    def _add(self, name: str, new: Mapping[str, FileDescriptorProto]) -> None:
        content = new[name].SerializeToString() if name in new else _well_known(name)
        if content is None:
            raise BadDescriptors(f"the file {name} is imported, but not there")
        try:
            self.pool.AddSerializedFile(content)
        except (TypeError, ValueError) as error:
            raise BadDescriptors(f"the file {name} does not fit the others ({' '.join(str(error).split())})") from None
        self._files.add(name)

    def has_file(self, name: str) -> bool:
        """Whether the file is there."""
        return name in self._files

    def service(self, name: str) -> ServiceDescriptor | None:
        """The service by its full name, None if it is not there."""
        try:
            return self.pool.FindServiceByName(name)
        except KeyError:
            return None

    def service_names(self) -> list[str]:
        """The full names of all services."""
        described: list[FileDescriptor] = [self.pool.FindFileByName(name) for name in self._files]
        return sorted(service.full_name for file in described for service in file.services_by_name.values())


def is_well_known(name: str) -> bool:
    """Whether the file belongs to protobuf itself and need not be asked for."""
    return _well_known(name) is not None


def _well_known(name: str) -> bytes | None:
    # Compilers and servers often leave out the files that every protobuf library has.
    stem = name.removeprefix(_WELL_KNOWN).removesuffix(".proto")
    if name != f"{_WELL_KNOWN}{stem}.proto" or not stem.isidentifier():
        return None
    try:
        module = importlib.import_module(f"google.protobuf.{stem}_pb2")
    except ModuleNotFoundError:
        return None
    content: bytes = module.DESCRIPTOR.serialized_pb
    return content


def from_files(paths: tuple[Path, ...]) -> Descriptors | None:
    """The descriptors in the files, None where there are no files; a file that changed is read again.

    Raises:
        GiveUp: a file cannot be read or is no descriptor file.
    """
    if not paths:
        return None
    try:
        changed = tuple(path.stat().st_mtime_ns for path in paths)
    except OSError as error:
        raise _unusable(error.filename, error.strerror or "cannot be read") from None
    return _read(paths, changed)


@functools.lru_cache(maxsize=8)
def _read(paths: tuple[Path, ...], _changed_ns: tuple[int, ...]) -> Descriptors:
    descriptors = Descriptors()
    for path in paths:
        try:
            files = FileDescriptorSet.FromString(path.read_bytes()).file
            if not files:
                raise BadDescriptors("it is empty")  # noqa: TRY301 - joined with the other ways to be unusable
            descriptors.add(files)
        except OSError as error:
            raise _unusable(path, error.strerror or "cannot be read") from None
        except DecodeError:
            raise _unusable(path, "it is not a descriptor file") from None
        except BadDescriptors as error:
            raise _unusable(path, str(error)) from None
    return descriptors


def _unusable(path: object, reason: str) -> GiveUp:
    return GiveUp(
        f"tde.grpc.descriptor_files: {path} cannot be used: {reason}; make it with"
        " `protoc --descriptor_set_out=FILE --include_imports`"
    )
