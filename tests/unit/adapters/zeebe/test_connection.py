"""How a gateway is reached: which addresses are this machine, what goes without TLS, and wrong certificates."""

from pathlib import Path

import grpc
import grpc.aio
import pytest

from procos.adapters.zeebe.connection import Connection, OAuth, open_channel
from procos.adapters.zeebe.gateway import ZeebeGateway
from procos.adapters.zeebe.jobs import ZeebeJobs
from procos.errors import EngineUnavailable, SettingsError
from procos.settings import load

pytestmark = pytest.mark.anyio

OAUTH = OAuth(client_id="id", client_secret="hunter2-Zx81", authorization_url="https://login.example/token")


@pytest.mark.parametrize(
    ("address", "host", "is_local"),
    [
        ("localhost:26500", "localhost", True),
        ("127.0.0.1:26500", "127.0.0.1", True),
        ("127.1.2.3:26500", "127.1.2.3", True),
        ("[::1]:26500", "::1", True),
        ("gateway:26500", "gateway", False),
        ("10.0.0.7:26500", "10.0.0.7", False),
        ("[2001:db8::1]:26500", "2001:db8::1", False),
        ("localhost.evil.example:443", "localhost.evil.example", False),
        ("x.bru-2.zeebe.camunda.io:443", "x.bru-2.zeebe.camunda.io", False),
    ],
)
async def test_only_this_machine_is_reached_without_tls_unless_it_is_said(address, host, is_local):
    connection = Connection(address=address)

    assert connection.host == host
    assert connection.is_local is is_local
    assert connection.is_plaintext is is_local
    assert Connection(address=address, plaintext=True).is_plaintext is True
    assert Connection(address=address, plaintext=False).is_plaintext is False


@pytest.mark.parametrize(
    "connection",
    [
        Connection(address="127.0.0.1:1"),
        Connection(address="127.0.0.1:1", plaintext=False),
        Connection(address="127.0.0.1:1", oauth=OAUTH),
    ],
    ids=["plaintext", "TLS", "OAuth"],
)
async def test_each_kind_of_channel_opens_without_sending_anything(connection):
    channel = open_channel(connection)

    assert channel.get_state() is grpc.ChannelConnectivity.IDLE
    await channel.close()


@pytest.mark.parametrize("plaintext", [True, False])
async def test_where_nobody_answers_is_an_error_of_ours_and_no_wait(plaintext):
    channel = open_channel(Connection(address="127.0.0.1:1", plaintext=plaintext))
    gateway = ZeebeGateway(channel, address="127.0.0.1:1")

    with pytest.raises(EngineUnavailable, match=r"no Zeebe gateway answers at 127\.0\.0\.1:1 \(ask for the topology\)"):
        await gateway.topology()
    await gateway.close()


async def test_jobs_of_nobody_are_an_error_of_ours_too():
    channel = open_channel(Connection(address="127.0.0.1:1"))
    lease = load(environment={}).values.lease

    with pytest.raises(EngineUnavailable, match=r"take jobs of type 'tde\.http'"):
        await ZeebeJobs(channel, streams=channel, address="127.0.0.1:1").activate(
            "tde.http", worker="w", max_jobs=1, lease=lease
        )
    await channel.close()


async def test_a_certificate_that_cannot_be_read_names_setting_and_file(tmp_path: Path):
    connection = Connection(address="gateway:443", ca_certificate=tmp_path / "nowhere.pem")

    with pytest.raises(SettingsError) as caught:
        open_channel(connection)

    assert caught.value.message == (
        f"setting ca_certificate: {tmp_path}/nowhere.pem cannot be read: No such file or directory"
    )
    assert "PEM" in str(caught.value.hint)


async def test_a_certificate_is_read_for_oauth_as_well(tmp_path: Path):
    with pytest.raises(SettingsError, match="ca_certificate"):
        open_channel(Connection(address="gateway:443", ca_certificate=tmp_path / "nowhere.pem", oauth=OAUTH))


async def test_a_secret_is_not_shown_where_a_connection_is_printed():
    assert "hunter2-Zx81" not in repr(Connection(address="gateway:443", oauth=OAUTH))
