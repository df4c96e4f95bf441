"""The engine under the peers: instances made, the record log read, a gateway of its own that can be restarted."""

import asyncio
import json
import os
import socket
import subprocess
import time
import urllib.request
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import grpc.aio
from pyzeebe.proto import gateway_pb2 as pb
from pyzeebe.proto.gateway_pb2_grpc import GatewayStub

from procos.adapters.embedded.java import find_java
from procos.adapters.embedded.launch import LOG_CONFIGURATION
from procos.adapters.embedded.ports import LOOPBACK

CREATING_AT_ONCE = 48
GATEWAY_S = 240
PROCESS = Path(__file__).with_name("one_task.bpmn").read_text(encoding="utf-8")


@dataclass
class Done:
    """Jobs of one type by the engine's own records: milliseconds since 1970 at which each key was completed."""

    completed: dict[int, int] = field(default_factory=dict)
    timed_out: int = 0
    failed: int = 0


class Records:
    """Follows the engine's record log; one pass over new bytes costs about a tenth of a second for 5,000 instances."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._file = log.open("rb")
        self._rest = b""
        self.jobs: defaultdict[str, Done] = defaultdict(Done)

    def read(self) -> None:
        """Takes in what is new."""
        while True:
            rolled = self._log.exists() and self._log.stat().st_ino != os.fstat(self._file.fileno()).st_ino
            self._take(self._file.read())
            if not rolled:
                return
            self._file.close()
            self._file = self._log.open("rb")

    def _take(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if b'"valueType":"JOB",' in line and b'"recordType":"EVENT"' in line:
                self._note(line)

    def _note(self, line: bytes) -> None:
        if not any(intent in line for intent in (b'"COMPLETED"', b'"TIMED_OUT"', b'"FAILED"')):
            return
        record = json.loads(line)
        done = self.jobs[record["value"]["type"]]
        match record["intent"]:
            case "COMPLETED":
                done.completed[record["key"]] = record["timestamp"]
            case "TIMED_OUT":
                done.timed_out += 1
            case "FAILED":
                done.failed += 1


class Client:
    """The harness's own connection to the engine, the same for all peers."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._blocking = GatewayStub(grpc.insecure_channel(address))
        self.created: defaultdict[str, int] = defaultdict(int)

    def deploy(self, job_type: str) -> None:
        """A process of one task, named like its job type."""
        content = PROCESS.replace("PROCESS", job_type).encode()
        request = pb.DeployResourceRequest(resources=[pb.Resource(name=f"{job_type}.bpmn", content=content)])
        self._blocking.DeployResource(request, timeout=30)

    def create(self, process_id: str, count: int) -> int:
        """Makes `count` instances, however often the engine is overloaded; says how often it was."""
        refused = asyncio.run(self._create(process_id, count))
        self.created[process_id] += count
        return refused

    async def _create(self, process_id: str, count: int) -> int:
        async with grpc.aio.insecure_channel(self.address) as channel:
            stub = GatewayStub(channel)
            left = iter(range(count))
            refused = 0
            request = pb.CreateProcessInstanceRequest(bpmnProcessId=process_id, version=-1)

            async def create_some() -> None:
                nonlocal refused
                for _ in left:
                    while True:
                        try:
                            await stub.CreateProcessInstance(request, timeout=60)
                            break
                        except grpc.aio.AioRpcError as error:
                            if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                                raise
                            refused += 1
                            await asyncio.sleep(0.05)

            await asyncio.gather(*(create_some() for _ in range(CREATING_AT_ONCE)))
            return refused

    def run_one(self, process_id: str) -> float:
        """Runs one instance to its result; seconds."""
        create = pb.CreateProcessInstanceRequest(bpmnProcessId=process_id, version=-1)
        request = pb.CreateProcessInstanceWithResultRequest(request=create, requestTimeout=15_000)
        started = time.perf_counter()
        self._blocking.CreateProcessInstanceWithResult(request, timeout=20)
        return time.perf_counter() - started

    def waiting(self, job_type: str) -> int:
        """How many jobs (1 at most) can be taken now; what is taken comes back after a second."""
        request = pb.ActivateJobsRequest(
            type=job_type, worker="check", timeout=1_000, maxJobsToActivate=1, requestTimeout=-1
        )
        return sum(len(answer.jobs) for answer in self._blocking.ActivateJobs(request, timeout=20))


class Gateway:
    """A gateway in a process of its own, next to the broker, which can be restarted while the broker goes on."""

    def __init__(self, distribution: Path, broker: str, scratch: Path) -> None:
        self._distribution = distribution
        self._scratch = scratch
        self._broker = broker
        grpc_port, cluster, rest, monitoring = _free_ports(4)
        self.address = f"{LOOPBACK}:{grpc_port}"
        self.rest_address = f"{LOOPBACK}:{rest}"
        self._monitoring = monitoring
        self._settings = {
            "ZEEBE_GATEWAY_NETWORK_HOST": LOOPBACK,
            "ZEEBE_GATEWAY_NETWORK_PORT": str(grpc_port),
            "ZEEBE_GATEWAY_CLUSTER_INITIALCONTACTPOINTS": broker,
            "ZEEBE_GATEWAY_CLUSTER_HOST": LOOPBACK,
            "ZEEBE_GATEWAY_CLUSTER_PORT": str(cluster),
            "ZEEBE_GATEWAY_CLUSTER_MEMBERID": "bench-gateway",
            "SERVER_ADDRESS": LOOPBACK,
            "SERVER_PORT": str(rest),
            "MANAGEMENT_SERVER_ADDRESS": LOOPBACK,
            "MANAGEMENT_SERVER_PORT": str(monitoring),
            "JAVA_HOME": str(find_java(None)),
            "JDK_JAVA_OPTIONS": "-Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 --enable-native-access=ALL-UNNAMED"
            # Its own logging would write into the distribution, which others share.
            f' -Dlog4j2.configurationFile="{LOG_CONFIGURATION}"',
            "PROCOS_ENGINE_LOGS": str(scratch / "gateway-logs"),
            "PROCOS_ENGINE_RECORDS": str(scratch / "gateway-logs"),
            "PATH": os.environ["PATH"],
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it and waits until it sees the partition's leader."""
        with (self._scratch / "gateway.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._distribution / "bin" / "gateway"], env=self._settings, stdout=log, stderr=log
            )
        end = time.monotonic() + GATEWAY_S
        while time.monotonic() < end:
            try:
                if _get(f"http://{LOOPBACK}:{self._monitoring}/actuator/health/readiness"):
                    Client(self.address).waiting("nobody")
                    return
            except (OSError, grpc.RpcError):
                time.sleep(0.2)
        raise TimeoutError(f"the gateway was not ready within {GATEWAY_S} s; see {self._scratch / 'gateway.log'}")

    def stop(self) -> None:
        """Ends it as an operator does."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


def refused_by_broker(monitoring: str) -> int:
    """How many commands the broker has turned away under load, by its own metric."""
    lines = _get(f"http://{monitoring}/actuator/prometheus").decode().splitlines()
    found = [line for line in lines if line.startswith("zeebe_dropped_request_count_total")]
    return sum(int(float(line.rsplit(" ", 1)[1])) for line in found)


def _get(url: str) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=5) as answer:
        return answer.read()


def _free_ports(count: int) -> list[int]:
    # Below the range of outgoing connections: a peer that dials the gateway while it is away could else take its port.
    free = []
    for port in range(28500, 28900):
        try:
            socket.create_server((LOOPBACK, port)).close()
        except OSError:
            continue
        free.append(port)
        if len(free) == count:
            return free
    raise OSError("no free ports from 28500 to 28899")
