"""The sql TDE's own settings: which databases there are, and how much of them one task may use."""

from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

LONGEST_SECONDS: Final = 3300.0
ALLOWED_SECRETS: Final = "SQL_*"
"""The secrets that the sql TDE may use; a database's password must have such a name."""

_DRIVERS = {"postgresql": "postgresql+psycopg", "postgresql+psycopg": "postgresql+psycopg", "sqlite": "sqlite"}
_SECRET_FIELDS = ("url_secret", "password_secret")


def read_url(text: str) -> URL:
    """The URL of a database that the TDE speaks with.

    Raises:
        ValueError: it is none; says what is expected, and never repeats the text, which may hold a password.
    """
    try:
        url = make_url(text.strip())
    except (ArgumentError, ValueError):
        raise ValueError(
            "this is not a database URL: write postgresql://user@host:5432/database, or"
            " sqlite:////absolute/path/file.db; in a password, write @ / : % as %40 %2F %3A %25"
        ) from None
    if url.drivername not in _DRIVERS:
        raise ValueError(
            f"the sql TDE speaks with PostgreSQL (postgresql://) and SQLite (sqlite:///), not with {url.drivername}"
        )
    if url.drivername == "sqlite" and (url.host or "?" in text or url.database in {None, "", ":memory:"}):
        raise ValueError("a SQLite URL is sqlite:/// and the path of a file, without anything behind it")
    return url.set(drivername=_DRIVERS[url.drivername])


def _check_url(text: str) -> str:
    if read_url(text).password is not None:
        raise ValueError(
            "the URL holds a password: take it out, keep it as a secret, and name that secret in password_secret"
        )
    return text


def _check_secret_name(name: str) -> str:
    prefix = ALLOWED_SECRETS.removesuffix("*")
    if not name.startswith(prefix):
        raise ValueError(f"the sql TDE may use secrets only whose names begin with {prefix}: rename it to {prefix}…")
    return name


SecretName = Annotated[str, AfterValidator(_check_secret_name)]


class SqlConnection(BaseModel):
    """A database that tasks may name: the table `[tde.sql.connections.NAME]`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: Annotated[str, AfterValidator(_check_url)] | None = Field(
        default=None,
        description="The database, without a password: postgresql://user@host:5432/database, or sqlite:/// and the path"
        " of a file; a relative path is below the TDE's data folder.",
    )
    url_secret: SecretName | None = Field(
        default=None,
        description="Instead of url: the name of the secret that holds the whole URL. It begins with SQL_.",
    )
    password_secret: SecretName | None = Field(
        default=None, description="The name of the secret that holds the password. It begins with SQL_."
    )
    read_only: bool = Field(
        default=False, description="Whether the database refuses every change made through this connection."
    )
    create: bool = Field(default=False, description="SQLite only: whether a file that is missing is made.")
    pool_size: int = Field(
        default=5, ge=1, le=100, description="PostgreSQL only: how many connections one worker process opens at most."
    )
    pool_recycle_seconds: float = Field(
        default=1800, gt=0, description="PostgreSQL only: a connection older than this is replaced before its next use."
    )

    @model_validator(mode="after")
    def _names_one_database(self) -> Self:
        if (self.url is None) == (self.url_secret is None):
            raise ValueError("give either url, or url_secret, the name of the secret that holds the URL")
        return self


class SqlConfig(BaseModel):
    """The table `[tde.sql]` of procos.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    connections: dict[str, SqlConnection] = Field(
        default={}, description="The databases that tasks may use, each a table [tde.sql.connections.NAME]."
    )
    max_rows: int = Field(
        default=1000, ge=1, le=100_000, description="The most rows that one task may get; a task may ask for fewer."
    )
    max_result_bytes: int = Field(
        default=1024 * 1024,
        gt=0,
        le=4 * 1024 * 1024,
        description="The most that all rows of one task may take as JSON, in bytes. The engine refuses messages of more"
        " than 4 MiB.",
    )
    time_limit_seconds: float = Field(
        default=60,
        gt=0,
        le=LONGEST_SECONDS,
        description="How long all statements of one task may take together; the database is told to stop then. A task"
        " may ask for less.",
    )
    connect_limit_seconds: int = Field(
        default=10, ge=2, le=240, description="PostgreSQL only: how long connecting may take."
    )
