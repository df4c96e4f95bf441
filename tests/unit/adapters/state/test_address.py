"""The database URL: what is taken, what is refused, and that no password is shown."""

from pathlib import Path

import pytest

from procos.adapters.state.address import file_address, read_address
from procos.errors import StoreError

PASSWORD = "s3cr et/@:%ä"
ESCAPED = "s3cr%20et%2F%40%3A%25%C3%A4"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_way_to_write_postgresql_means_psycopg(scheme):
    address = read_address(f"{scheme}://app:{ESCAPED}@db.example.com:6543/procos?sslmode=require")

    assert address.url.drivername == "postgresql+psycopg"
    assert (address.url.username, address.url.password, address.url.port) == ("app", PASSWORD, 6543)
    assert address.url.query == {"sslmode": "require"}
    assert address.shown == "PostgreSQL database 'procos' at db.example.com:6543"
    assert not address.is_sqlite


def test_several_hosts_and_the_default_server():
    several = read_address("postgresql://app@/procos?host=one:5432&host=two:5432")

    assert several.shown == "PostgreSQL database 'procos' at one:5432, two:5432"
    assert read_address("postgresql:///procos").shown == "PostgreSQL database 'procos' at the default server"


def test_an_sqlite_file_by_url_and_by_path(tmp_path):
    file = tmp_path / "a b%20ä.db"

    assert file_address(file).file == file
    assert read_address(f"sqlite:///{tmp_path}/procos.db").file == tmp_path / "procos.db"
    assert read_address("sqlite:///relative.db").file == Path.cwd() / "relative.db"
    assert file_address(Path("~/x.db")).file == Path.home() / "x.db"


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///x.db?mode=ro", "sqlite://host/x.db"])
def test_what_is_no_plain_file_is_refused(url):
    with pytest.raises(StoreError, match="path of its file") as caught:
        read_address(url)
    assert "sqlite:////" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("url", "kind"),
    [("mysql://h/d", " 'mysql'"), ("postgresql+asyncpg://h/d", " 'postgresql+asyncpg'"), ("", ""), ("/a/file.db", "")],
)
def test_other_databases_are_refused_with_what_is_possible(url, kind):
    with pytest.raises(StoreError) as caught:
        read_address(url)
    assert caught.value.message == f"the database URL is of no kind{kind} that ProcOS knows"
    assert "postgresql://USER:PASSWORD@HOST:5432/DATABASE" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://app:s3cr@et/@:%@db/procos",  # characters that should have been escaped
        "postgresql://app:s3cr@et@db/procos",
        "postgresql://app:s3cret",
        "postgresql://db:s3cret/procos",
        "postgresql://app:s3cret@db/pro@cos",
        "postgresql://app:s3cret@db:port/procos",
        "app:s3cret@db/procos",
        "s3cret",
    ],
)
def test_a_url_that_cannot_be_read_is_never_quoted(url):
    with pytest.raises(StoreError) as caught:
        read_address(url)
    assert "s3c" not in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.__cause__ is None


def test_the_password_is_concealed_however_it_is_spelled():
    address = read_address(f"postgresql://app:{ESCAPED}@db/procos")
    text = f"a {PASSWORD} b {ESCAPED} c"

    assert "s3c" not in address.conceal(text)
    assert "s3c" not in str(address)
    assert read_address("postgresql://app@db/procos").conceal(text) == text
    assert "other" not in read_address("postgresql://app@db/procos?password=other").conceal("with other")
