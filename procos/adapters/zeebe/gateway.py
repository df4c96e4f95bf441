"""The Engine port on a Zeebe gateway."""

import json
from collections.abc import Awaitable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, TypeVar

import grpc
import grpc.aio

from procos.adapters.zeebe.grpc_errors import translate
from procos.adapters.zeebe.protocol import open_stub, pb
from procos.errors import EngineNotFound, EngineRejected
from procos.model.deployment import DeployedResource, Deployment, Resource
from procos.model.instance import ProcessInstance, ProcessResult
from procos.model.topology import Broker, Partition, Topology

ANSWER_TIME: Final = timedelta(seconds=20)
"""How long one command may take; the time that zbctl and pyzeebe give it, too."""

_NEWEST_VERSION = -1
_NO_DECISION = "no decision found"
_AnswerT = TypeVar("_AnswerT")


class ZeebeGateway:
    """Commands to a Zeebe gateway over one channel."""

    def __init__(self, channel: grpc.aio.Channel, *, address: str, tenant_id: str | None = None) -> None:
        self._channel = channel
        self._stub = open_stub(channel)
        self._address = address
        self._tenant_id = tenant_id or ""

    @property
    def address(self) -> str:
        """Host and port of the gateway."""
        return self._address

    async def topology(self) -> Topology:
        """The cluster behind the gateway."""
        answer = await self._ask(self._stub.Topology(pb.TopologyRequest(), timeout=5), "ask for the topology")
        return Topology(
            gateway_version=answer.gatewayVersion,
            cluster_size=answer.clusterSize,
            partitions_count=answer.partitionsCount,
            brokers=tuple(_broker(broker) for broker in answer.brokers),
        )

    async def deploy(self, resources: Sequence[Resource]) -> Deployment:
        """Deploys all of `resources` or none of them."""
        names = ", ".join(resource.name for resource in resources)
        request = pb.DeployResourceRequest(
            resources=[pb.Resource(name=resource.name, content=resource.content) for resource in resources],
            tenantId=self._tenant_id,
        )
        timeout = ANSWER_TIME.total_seconds()
        answer = await self._ask(self._stub.DeployResource(request, timeout=timeout), f"deploy {names}")
        deployed = tuple(_deployed(deployment) for deployment in answer.deployments)
        return Deployment(answer.key, deployed)

    async def create_instance(
        self, process_definition_id: str, *, variables: Mapping[str, Any] | None = None, version: int | None = None
    ) -> ProcessInstance:
        """Starts an instance of the newest, or of the given, version."""
        request = self._create_request(process_definition_id, variables, version)
        call = self._stub.CreateProcessInstance(request, timeout=ANSWER_TIME.total_seconds())
        return _instance(await self._ask(call, f"start an instance of '{process_definition_id}'"))

    async def create_instance_with_result(
        self,
        process_definition_id: str,
        *,
        timeout: timedelta,
        variables: Mapping[str, Any] | None = None,
        version: int | None = None,
    ) -> ProcessResult:
        """Starts an instance and waits for its end, `EngineTimeout` after `timeout`; the instance then goes on."""
        request = pb.CreateProcessInstanceWithResultRequest(
            request=self._create_request(process_definition_id, variables, version),
            requestTimeout=round(timeout.total_seconds() * 1000),
        )
        call = self._stub.CreateProcessInstanceWithResult(request, timeout=(timeout + ANSWER_TIME).total_seconds())
        answer = await self._ask(call, f"run an instance of '{process_definition_id}'")
        return ProcessResult(instance=_instance(answer), variables=json.loads(answer.variables))

    async def publish_message(
        self,
        name: str,
        *,
        correlation_key: str,
        variables: Mapping[str, Any] | None = None,
        ttl: timedelta = timedelta(0),
        message_id: str = "",
    ) -> bool:
        """Publishes a message; False where one with that name, key and `message_id` is buffered already."""
        request = pb.PublishMessageRequest(
            name=name,
            correlationKey=correlation_key,
            timeToLive=round(ttl.total_seconds() * 1000),
            messageId=message_id,
            variables=json.dumps(dict(variables or {})),
            tenantId=self._tenant_id,
        )
        try:
            await self._stub.PublishMessage(request, timeout=ANSWER_TIME.total_seconds())
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.ALREADY_EXISTS:
                return False
            raise translate(error, doing=f"publish the message '{name}'", address=self._address) from error
        return True

    async def evaluate_decision(self, decision_id: str, *, variables: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
        """What the newest version of a DMN decision says, None where no rule matches."""
        request = pb.EvaluateDecisionRequest(
            decisionId=decision_id, variables=json.dumps(dict(variables)), tenantId=self._tenant_id
        )
        doing = f"evaluate the decision '{decision_id}'"
        try:
            answer = await self._stub.EvaluateDecision(request, timeout=ANSWER_TIME.total_seconds())
        except grpc.aio.AioRpcError as error:
            if _NO_DECISION in (error.details() or ""):
                raise EngineNotFound(f"cannot {doing}: no such decision is deployed to {self._address}") from error
            raise translate(error, doing=doing, address=self._address) from error
        if answer.failedDecisionId:
            raise EngineRejected(f"cannot {doing}: {answer.failureMessage}", reason=answer.failureMessage)
        return json.loads(answer.decisionOutput or "null")

    async def cancel_instance(self, process_instance_key: int) -> None:
        """Cancels a running instance."""
        request = pb.CancelProcessInstanceRequest(processInstanceKey=process_instance_key)
        call = self._stub.CancelProcessInstance(request, timeout=ANSWER_TIME.total_seconds())
        await self._ask(call, f"cancel the process instance {process_instance_key}")

    async def close(self) -> None:
        """Closes the connection."""
        await self._channel.close(None)

    async def _ask(self, call: Awaitable[_AnswerT], doing: str) -> _AnswerT:
        try:
            return await call
        except grpc.aio.AioRpcError as error:
            raise translate(error, doing=doing, address=self._address) from error

    def _create_request(
        self, process_definition_id: str, variables: Mapping[str, Any] | None, version: int | None
    ) -> pb.CreateProcessInstanceRequest:
        return pb.CreateProcessInstanceRequest(
            bpmnProcessId=process_definition_id,
            version=version or _NEWEST_VERSION,
            variables=json.dumps(dict(variables or {})),
            tenantId=self._tenant_id,
        )


def _broker(broker: pb.BrokerInfo) -> Broker:
    return Broker(
        node_id=broker.nodeId,
        address=f"{broker.host}:{broker.port}",
        version=broker.version,
        partitions=tuple(
            Partition(
                id=partition.partitionId,
                role=pb.Partition.PartitionBrokerRole.Name(partition.role).lower(),
                health=pb.Partition.PartitionBrokerHealth.Name(partition.health).lower(),
            )
            for partition in broker.partitions
        ),
    )


def _deployed(deployment: pb.Deployment) -> DeployedResource:
    if deployment.HasField("process"):
        process = deployment.process
        return DeployedResource(
            kind="process",
            id=process.bpmnProcessId,
            version=process.version,
            key=process.processDefinitionKey,
            resource_name=process.resourceName,
        )
    if deployment.HasField("form"):
        form = deployment.form
        return DeployedResource(
            kind="form", id=form.formId, version=form.version, key=form.formKey, resource_name=form.resourceName
        )
    if deployment.HasField("decision"):
        decision = deployment.decision
        return DeployedResource(
            kind="decision",
            id=decision.dmnDecisionId,
            version=decision.version,
            key=decision.decisionKey,
            resource_name="",
        )
    graph = deployment.decisionRequirements
    return DeployedResource(
        kind="decision requirements",
        id=graph.dmnDecisionRequirementsId,
        version=graph.version,
        key=graph.decisionRequirementsKey,
        resource_name=graph.resourceName,
    )


def _instance(
    answer: pb.CreateProcessInstanceResponse | pb.CreateProcessInstanceWithResultResponse,
) -> ProcessInstance:
    return ProcessInstance(
        key=answer.processInstanceKey,
        process_definition_id=answer.bpmnProcessId,
        process_definition_key=answer.processDefinitionKey,
        process_definition_version=answer.version,
    )
