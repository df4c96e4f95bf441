"""Which gateway, and how it is reached, by the settings."""

import pytest

from procos.errors import SettingsError
from procos.settings import Settings
from procos.wiring.engines import connection_to

LOGIN = {"client_id": "me", "client_secret": "s", "authorization_url": "https://login.example/token"}


def connection(address: str, **settings: object):
    return connection_to(Settings(address=address, **settings), address)


@pytest.mark.parametrize(
    ("address", "bare", "is_plaintext"),
    [
        ("127.0.0.1:26500", "127.0.0.1:26500", True),
        ("[::1]:26500", "[::1]:26500", True),
        ("gateway:26500", "gateway:26500", False),
        ("grpc://gateway:26500", "gateway:26500", True),
        ("http://gateway:26500/", "gateway:26500", True),
        ("grpcs://127.0.0.1:26500", "127.0.0.1:26500", False),
        ("https://gateway:443", "gateway:443", False),
    ],
)
def test_the_scheme_or_else_the_host_decides_about_tls(address, bare, is_plaintext):
    found = connection(address)
    assert (found.address, found.is_plaintext) == (bare, is_plaintext)


def test_without_a_scheme_the_setting_decides():
    assert connection("gateway:26500", plaintext=True).is_plaintext
    assert not connection("127.0.0.1:26500", plaintext=False).is_plaintext


def test_a_login_goes_along():
    oauth = connection("gateway:443", **LOGIN).oauth
    assert oauth is not None
    assert (oauth.client_id, oauth.client_secret) == ("me", "s")


@pytest.mark.parametrize("missing", ["client_secret", "authorization_url"])
def test_half_a_login_is_refused(missing):
    with pytest.raises(SettingsError, match=missing):
        connection("gateway:443", **{name: value for name, value in LOGIN.items() if name != missing})


@pytest.mark.parametrize(("address", "settings"), [("grpc://gateway:443", {}), ("gateway:443", {"plaintext": True})])
def test_a_login_is_never_sent_without_tls(address, settings):
    with pytest.raises(SettingsError, match="without TLS"):
        connection(address, **LOGIN, **settings)
