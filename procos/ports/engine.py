"""Engine: deploy definitions, start and steer process instances."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol

from procos.model.deployment import Deployment, Resource
from procos.model.instance import ProcessInstance, ProcessResult
from procos.model.topology import Topology


class Engine(Protocol):
    """A Zeebe engine; every method raises a subclass of `EngineError` with the engine's own reason."""

    @property
    def address(self) -> str:
        """Host and port of the gateway."""
        ...

    async def topology(self) -> Topology:
        """The cluster behind the gateway."""
        ...

    async def deploy(self, resources: Sequence[Resource]) -> Deployment:
        """Deploys all of `resources` or none of them."""
        ...

    async def create_instance(
        self, process_definition_id: str, *, variables: Mapping[str, Any] | None = None, version: int | None = None
    ) -> ProcessInstance:
        """Starts an instance of the newest, or of the given, version."""
        ...

    async def create_instance_with_result(
        self,
        process_definition_id: str,
        *,
        timeout: timedelta,
        variables: Mapping[str, Any] | None = None,
        version: int | None = None,
    ) -> ProcessResult:
        """Starts an instance and waits for its end, `EngineTimeout` after `timeout`; the instance then goes on."""
        ...

    async def publish_message(
        self,
        name: str,
        *,
        correlation_key: str,
        variables: Mapping[str, Any] | None = None,
        ttl: timedelta = timedelta(0),
        message_id: str = "",
    ) -> bool:
        """Publishes a message; False where one with that name, key and `message_id` is buffered already.

        It reaches what waits for it now, or begins to wait within `ttl`; a message start event takes it where no other
        instance lives that was started with the same correlation key.
        """
        ...

    async def evaluate_decision(self, decision_id: str, *, variables: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
        """What the newest version of a DMN decision says, None where no rule matches.

        Raises:
            EngineNotFound: no decision with that id is deployed.
            EngineRejected: it cannot be evaluated; with the engine's own reason.
        """
        ...

    async def cancel_instance(self, process_instance_key: int) -> None:
        """Cancels a running instance."""
        ...

    async def close(self) -> None:
        """Closes the connection."""
        ...
