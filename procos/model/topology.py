"""The engine as its gateway describes it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """One partition on one broker."""

    id: int
    role: str
    health: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """One broker of the cluster."""

    node_id: int
    address: str
    version: str
    partitions: tuple[Partition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """The cluster behind a gateway."""

    gateway_version: str
    cluster_size: int
    partitions_count: int
    brokers: tuple[Broker, ...]

    @property
    def is_ready(self) -> bool:
        """Whether every partition has a healthy leader."""
        led = {
            partition.id
            for broker in self.brokers
            for partition in broker.partitions
            if partition.role == "leader" and partition.health == "healthy"
        }
        return self.partitions_count > 0 and len(led) >= self.partitions_count
