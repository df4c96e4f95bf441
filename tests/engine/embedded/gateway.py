"""What these tests ask of an engine, through its gateway."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from pyzeebe import ZeebeClient, create_insecure_channel

_PROCESS = """<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" targetNamespace="tests">
  <bpmn:process id="kept" isExecutable="true">
    <bpmn:startEvent id="start"><bpmn:outgoing>flow</bpmn:outgoing></bpmn:startEvent>
    <bpmn:sequenceFlow id="flow" sourceRef="start" targetRef="end"/>
    <bpmn:endEvent id="end"><bpmn:incoming>flow</bpmn:incoming></bpmn:endEvent>
  </bpmn:process>
</bpmn:definitions>
"""


def deploy(address: str, folder: Path) -> int:
    """Deploys a process; the key of its definition."""
    file = folder / "kept.bpmn"
    file.write_text(_PROCESS)

    async def ask(client: ZeebeClient) -> int:
        key: int = (await client.deploy_resource(str(file))).deployments[0].process_definition_key
        return key

    return _with_client(address, ask)


def run(address: str) -> int:
    """Runs an instance of the deployed process to its end; the key of the definition that it ran by."""

    async def ask(client: ZeebeClient) -> int:
        return (await client.run_process_with_result("kept", {})).process_definition_key

    return _with_client(address, ask)


def _with_client(address: str, ask: Callable[[ZeebeClient], Awaitable[int]]) -> int:
    async def talk() -> int:
        channel = create_insecure_channel(grpc_address=address)
        try:
            return await ask(ZeebeClient(channel))
        finally:
            await channel.close()

    return asyncio.run(talk())
