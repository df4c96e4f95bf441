"""The engine's ports: pinned, free, taken, and wanted by two starts at once."""

import os
import socket
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from procos.adapters.embedded import EngineOptions
from procos.adapters.embedded.ports import Ports, refuse_unusable_pins, reserved_ports
from procos.errors import EngineError


def options_with(**ports: Any) -> EngineOptions:
    return EngineOptions(home=Path("home"), cache=Path("cache"), **ports)


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def can_listen(port: int) -> bool:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def test_every_port_is_the_default_or_a_free_one_some_tens_above_it():
    with reserved_ports(options_with()) as ports:
        for name, port in asdict(ports).items():
            assert (port - getattr(Ports(), name)) % 10 == 0
            assert can_listen(port)


def test_a_default_that_is_taken_is_replaced():
    with reserved_ports(options_with()) as before, socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a connection of an earlier engine may linger
        server.bind(("127.0.0.1", before.gateway))
        server.listen()
        with reserved_ports(options_with()) as after:
            assert after.gateway > before.gateway


def test_two_starts_at_once_never_choose_the_same_port():
    with reserved_ports(options_with()) as one, reserved_ports(options_with()) as other:
        assert not set(asdict(one).values()) & set(asdict(other).values())


def test_a_reservation_ends_when_it_is_left():
    with reserved_ports(options_with()) as ports:
        pass
    with reserved_ports(options_with(port=ports.gateway)) as again:
        assert again.gateway == ports.gateway


def test_pinned_ports_are_used_as_they_are():
    with socket.socket() as one, socket.socket() as other:
        for server in (one, other):
            server.bind(("127.0.0.1", 0))
        gateway, monitoring = (server.getsockname()[1] for server in (one, other))
    with reserved_ports(options_with(port=gateway, monitoring_port=monitoring)) as ports:
        assert (ports.gateway, ports.monitoring) == (gateway, monitoring)


def test_a_pinned_port_is_not_given_to_another_server():
    with reserved_ports(options_with()) as free:
        pass
    with reserved_ports(options_with(port=free.command)) as ports:
        assert ports.gateway == free.command
        assert ports.command != free.command


@pytest.mark.parametrize(("option", "server"), [("port", "gateway"), ("rest_port", "rest")])
def test_a_pinned_port_that_is_taken_is_refused_with_its_holder(listening: int, option: str, server: str):
    with pytest.raises(EngineError) as caught:
        refuse_unusable_pins(options_with(**{option: listening}))
    assert caught.value.message.startswith(f"port {listening}, wanted for the engine's {server} server, is taken by ")
    assert f"(process {os.getpid()})" in caught.value.message
    assert "give another port, or none" in str(caught.value.hint)


def test_a_pinned_port_that_is_taken_is_not_reserved(listening: int):
    with pytest.raises(EngineError, match="is taken by"), reserved_ports(options_with(monitoring_port=listening)):
        pass


def test_a_pinned_port_that_another_start_has_reserved_is_refused():
    with (
        reserved_ports(options_with()) as ports,
        pytest.raises(EngineError, match="is taken by another engine that starts just now"),
        reserved_ports(options_with(port=ports.gateway)),
    ):
        pass
