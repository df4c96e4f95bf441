"""The kernel's own definitions, deployed at every boot; they get a new version only where they have changed."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel, Field

from procos.kernel.presence import replace_file
from procos.model.deployment import Resource
from procos.ports.engine import Engine

_MOST_BYTES: Final = 2_000_000
"""The engine takes messages of 4 MiB."""
_log = logging.getLogger(__name__)


class DeployedDefinitions(BaseModel):
    """What the last boot deployed: a digest of all of it, and the engine's keys by process id."""

    digest: str = ""
    keys: dict[str, int] = Field(default_factory=dict)


@dataclass(frozen=True)
class OwnDefinitions:
    """The definitions on one engine; `file` holds what the last boot deployed.

    Each goes alone where something has changed since then: in a batch with anything new in it, the engine gives
    unchanged definitions a new version too. Where nothing has changed they go together, which saves a second.
    """

    engine: Engine
    file: Path

    async def deploy(self, resources: Sequence[Resource]) -> None:
        """Deploys them.

        Raises:
            EngineError: the engine did not take one of them.
        """
        known, digest = self._known(), _digest(resources)
        keys: dict[str, int] = {}
        for batch in _batches(resources) if digest == known.digest else ([it] for it in resources):
            for resource in (await self.engine.deploy(batch)).resources:
                keys[resource.id] = resource.key
                change = "unchanged" if known.keys.get(resource.id) == resource.key else "deployed"
                _log.info("kernel process '%s' %s, version %d", resource.id, change, resource.version)
        replace_file(self.file, DeployedDefinitions(digest=digest, keys=keys).model_dump_json())

    def _known(self) -> DeployedDefinitions:
        try:
            return DeployedDefinitions.model_validate_json(self.file.read_bytes())
        except (FileNotFoundError, ValueError):
            return DeployedDefinitions()


def _digest(resources: Sequence[Resource]) -> str:
    """What tells whether any name or content has changed."""
    digest = hashlib.sha256()
    for one in resources:
        for part in (one.name.encode(), one.content):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def _batches(resources: Sequence[Resource]) -> Iterator[list[Resource]]:
    """All of them, in requests that the engine takes."""
    batch: list[Resource] = []
    size = 0
    for one in resources:
        if batch and size + len(one.content) > _MOST_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += len(one.content)
    if batch:
        yield batch
