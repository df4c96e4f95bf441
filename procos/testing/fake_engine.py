"""An engine in memory, for tests of workers, tools, and code that steers an engine."""

import asyncio
import copy
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from procos.errors import EngineError, EngineNotFound, EngineRejected, EngineTimeout
from procos.model.deployment import Deployment, Resource
from procos.model.instance import ProcessInstance, ProcessResult
from procos.model.topology import Broker, Partition, Topology
from procos.ports.engine import Engine
from procos.testing.bpmn.one_task import one_task
from procos.testing.clock import Clock, SystemClock
from procos.testing.engine.core import ADDRESS, Core, Method
from procos.testing.engine.job_source import FakeJobSource
from procos.testing.engine.messages import FakeMessage
from procos.testing.engine.state import FakeIncident, FakeInstance, RunningInstance
from procos.testing.engine.variables import as_json

VERSION: Final = "8.6.0"
"""What `topology` says: the version that the contract suite compares with first."""


class FakeEngine(FakeJobSource, Engine):
    """Implements the ports `Engine` and `JobSource` in memory, on one event loop, with nothing to start or stop.

    It runs a part of BPMN and of FEEL, which docs/how-to/test-a-tde.md lists, and refuses the rest at `deploy`.
    `clock` is what leases and backoffs are measured with: give a `ManualClock` to move them instead of waiting. How
    long a call itself may wait (`activate(wait=...)`, `create_instance_with_result(timeout=...)`) is always real time.

    `outcomes` holds what workers delivered, `renewals` the keys of jobs whose lease was renewed, both in order.
    """

    def __init__(self, *, clock: Clock | None = None) -> None:
        super().__init__(Core(clock or SystemClock()))

    # What a test asks

    @property
    def calls(self) -> list[Method]:
        """The methods of the two ports that were called, in order, those that failed included."""
        return self._core.calls

    @property
    def activations(self) -> list[int]:
        """The keys of jobs in the order in which they were given out; one that was given out twice is there twice."""
        return self._core.jobs.activations

    @property
    def messages(self) -> tuple[FakeMessage, ...]:
        """Every message that was published, in order."""
        return tuple(self._core.messages.published)

    @property
    def incidents(self) -> tuple[FakeIncident, ...]:
        """Every incident that there is now."""
        return tuple(self._core.interpreter.incidents.values())

    @property
    def instances(self) -> tuple[FakeInstance, ...]:
        """Every instance that was ever started, in order."""
        return tuple(self._view(running) for running in self._core.interpreter.instances.values())

    def instance(self, process_instance_key: int) -> FakeInstance:
        """One instance, as it is now.

        Raises:
            KeyError: there was never one by that key.
        """
        return self._view(self._core.interpreter.instances[process_instance_key])

    def retries_of(self, job_key: int) -> int:
        """The retries that the job has left.

        Raises:
            KeyError: it has ended, or never was.
        """
        entry = self._core.jobs.get(job_key)
        if entry is None:
            raise KeyError(job_key)
        return entry.retries

    async def until(self, condition: Callable[[], object], *, longest: timedelta = timedelta(seconds=10)) -> None:
        """Waits until `condition` holds; it is looked at whenever something happened in the engine.

        Raises:
            TimeoutError: it does not hold after `longest`, in real time.
        """
        give_up_at = time.monotonic() + longest.total_seconds()
        while not condition():
            seconds = give_up_at - time.monotonic()
            if seconds <= 0:
                raise TimeoutError(
                    f"it did not come about within {longest.total_seconds():g} s; "
                    f"delivered: {self.outcomes}; incidents: {self.incidents}"
                )
            await self._core.something_happens(seconds)

    # What a test does

    def add_job(
        self,
        job_type: str,
        variables: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        retries: int = 3,
    ) -> int:
        """Starts an instance of a process with nothing but one task; returns the key of its job.

        The process's id is the job type, the element's is `task`.

        Raises:
            ValueError: a job needs at least one retry.
        """
        if retries < 1:
            raise ValueError("a job needs at least one retry")
        given = as_json(variables, "add a job")
        definition = self._core.definitions.keep(one_task(job_type, headers=headers or {}, retries=retries))
        running = self._core.interpreter.create(definition, given)
        self._core.tell()
        return next(child.job_key for child in running.root.children if child.job_key is not None)

    def refuse(self, method: Method, error: EngineError, *, times: int = 1) -> None:
        """The next calls of `method` raise `error` and do nothing."""
        self._core.faults.refuse(method, error, times)

    def lose_answer(self, method: Method, error: EngineError) -> None:
        """The next call of `method` is done, but its caller gets `error`."""
        self._core.faults.lose_answer(method, error)

    def go_away(self) -> None:
        """No call gets through, and those that wait are cut, until `come_back`; the state stays."""
        self._core.faults.is_away = True
        self._core.tell()

    def come_back(self) -> None:
        """Calls get through again."""
        self._core.faults.is_away = False
        self._core.tell()

    # The port Engine

    @property
    def address(self) -> str:
        """An address at which nothing listens."""
        return ADDRESS

    async def topology(self) -> Topology:
        """A cluster of one healthy broker."""
        with self._core.call("topology"):
            healthy = (Partition(id=1, role="leader", health="healthy"),)
            broker = Broker(node_id=0, address=ADDRESS, version=VERSION, partitions=healthy)
            return Topology(gateway_version=VERSION, cluster_size=1, partitions_count=1, brokers=(broker,))

    async def deploy(self, resources: Sequence[Resource]) -> Deployment:
        """Deploys all of `resources` or none of them; refuses what it cannot run."""
        with self._core.call("deploy"):
            return self._core.definitions.deploy(resources)

    async def create_instance(
        self, process_definition_id: str, *, variables: Mapping[str, Any] | None = None, version: int | None = None
    ) -> ProcessInstance:
        """Starts an instance of the newest, or of the given, version."""
        with self._core.call("create_instance"):
            return self._create(process_definition_id, variables, version).fact

    async def create_instance_with_result(
        self,
        process_definition_id: str,
        *,
        timeout: timedelta,
        variables: Mapping[str, Any] | None = None,
        version: int | None = None,
    ) -> ProcessResult:
        """Starts an instance and waits for its end, `EngineTimeout` after `timeout`; the instance then goes on."""
        give_up_at = time.monotonic() + timeout.total_seconds()
        with self._core.call("create_instance_with_result"):
            running = self._create(process_definition_id, variables, version)
        while running.status != "completed":
            self._core.faults.check_reachable()
            seconds = give_up_at - time.monotonic()
            if seconds <= 0:
                raise EngineTimeout(
                    f"the engine at {ADDRESS} did not answer in time (run an instance of '{process_definition_id}')"
                )
            await self._core.something_happens(seconds)
        return ProcessResult(instance=running.fact, variables=copy.deepcopy(running.root.variables))

    async def publish_message(
        self,
        name: str,
        *,
        correlation_key: str,
        variables: Mapping[str, Any] | None = None,
        ttl: timedelta = timedelta(0),
        message_id: str = "",
    ) -> bool:
        """Keeps the message in `messages`; False where one with that name, key and `message_id` is buffered already."""
        with self._core.call("publish_message"):
            given = as_json(variables, f"publish the message '{name}'")
            return self._core.messages.publish(
                FakeMessage(name=name, correlation_key=correlation_key, variables=given, ttl=ttl, message_id=message_id)
            )

    async def evaluate_decision(self, decision_id: str, *, variables: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
        """Raises `EngineNotFound`: DMN cannot be deployed here."""
        with self._core.call("evaluate_decision"):
            as_json(variables, f"evaluate the decision '{decision_id}'")
            raise EngineNotFound(f"cannot evaluate the decision '{decision_id}': no such decision is deployed")

    async def cancel_instance(self, process_instance_key: int) -> None:
        """Cancels a running instance."""
        await asyncio.sleep(0)
        with self._core.call("cancel_instance"):
            self._cancel(process_instance_key)

    async def close(self) -> None:
        """Does nothing: there is no connection."""

    # Within

    def _create(
        self, process_definition_id: str, variables: Mapping[str, Any] | None, version: int | None
    ) -> RunningInstance:
        given = as_json(variables, f"start an instance of '{process_definition_id}'")
        return self._core.interpreter.create(self._core.definitions.find(process_definition_id, version), given)

    def _cancel(self, key: int) -> None:
        doing = f"cannot cancel the process instance {key}: Expected to cancel a process instance with key '{key}'"
        running = self._core.interpreter.instances.get(key)
        if running is None or running.status != "active":
            raise EngineNotFound(f"{doing}, but no such process was found")
        if running.caller is not None:
            root = running
            while root.caller is not None:
                root = root.caller.running
            reason = (
                f"it is created by a parent process instance. Cancel the root process instance '{root.key}' instead."
            )
            raise EngineRejected(f"{doing}, but {reason}", reason=reason)
        self._core.interpreter.cancel(running)

    def _view(self, running: RunningInstance) -> FakeInstance:
        return FakeInstance(
            key=running.key,
            process_definition_id=running.definition.deployed.id,
            process_definition_version=running.definition.deployed.version,
            status=running.status,
            variables=copy.deepcopy(running.root.variables),
            passed=tuple(running.passed),
            active=running.active(),
            incidents=tuple(it for it in self.incidents if it.process_instance_key == running.key),
        )
