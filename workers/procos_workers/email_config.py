"""The email TDE's own settings: which server takes its mails, and whom it may write to."""

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from procos_workers.email_address import Mailbox

Security = Literal["starttls", "tls", "none"]

# The secrets that the TDE may use; a task cannot put another one into a mail.
SECRETS = ("EMAIL_*", "email.*")

_USUAL_PORTS: dict[Security, int] = {"starttls": 587, "tls": 465, "none": 25}
_LOOPBACK_HOSTS = {"localhost", "127.0.0.1", "::1"}


def _check_pattern(pattern: str) -> str:
    tidy = pattern.strip().lower()
    if not tidy or any(sign.isspace() or sign in "<>," for sign in tidy):
        raise ValueError(
            f"{pattern!r} is not a pattern for addresses: write an address with * for any part of it (*@example.org)"
        )
    return tidy


def _check_secret_name(name: str) -> str:
    if not any(fnmatchcase(name, pattern) for pattern in SECRETS):
        raise ValueError(f"{name!r}: the email TDE may use secrets whose names begin with EMAIL_ or email. only")
    return name


AddressPattern = Annotated[str, AfterValidator(_check_pattern)]


class EmailConfig(BaseModel):
    """The table `[tde.email]` of procos.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(default="", description="The SMTP server's name. Without one, no mail can be sent.")
    port: int | None = Field(
        default=None,
        gt=0,
        le=65535,
        description="The server's port. Without it: 587 for starttls, 465 for tls, else 25.",
    )
    security: Security = Field(
        default="starttls",
        description="starttls: the connection must become TLS before anything is said; tls: it is from the start; none:"
        " everything goes in the clear, for a server on this machine.",
    )
    user: str | None = Field(default=None, min_length=1, description="The user to log in as. Without one: no login.")
    password_secret: Annotated[str, AfterValidator(_check_secret_name)] | None = Field(
        default=None,
        description="The name of the secret that holds the user's password (not the password); it begins with EMAIL_ or"
        " email.",
    )
    from_address: Mailbox | None = Field(
        default=None, description="Whom the mails come from: noreply@example.org, or Name <noreply@example.org>."
    )
    allow_recipients: list[AddressPattern] = Field(
        default=["*"],
        description="Who may be written to, as patterns in which * stands for any characters: *@example.org.",
    )
    max_recipients: int = Field(default=100, gt=0, description="How many recipients one mail may have, cc and bcc too.")
    max_attachment_bytes: int = Field(
        default=3 * 1024 * 1024,
        gt=0,
        description="How large the attachments of one mail may be together, in bytes, unpacked. The engine takes"
        " variables of less than 4 MiB, and base64 grows by a third.",
    )
    answer_limit_seconds: float = Field(
        default=60, gt=0, le=240, description="How long the server may take for each answer, connecting included."
    )
    ca_certificate: Path | None = Field(
        default=None,
        description="A PEM file with certificates of authorities to trust besides the usual ones, for a server with a"
        " certificate of your own.",
    )

    @model_validator(mode="after")
    def _has_a_safe_login(self) -> Self:
        if (self.user is None) != (self.password_secret is None):
            raise ValueError("a login needs both user and password_secret: give both, or neither")
        if self.user is not None and self.security == "none" and self.host.lower() not in _LOOPBACK_HOSTS:
            raise ValueError(
                "a login without TLS would show the password to the network: set security to starttls or tls"
            )
        return self

    @property
    def server_port(self) -> int:
        """The port to connect to."""
        return self.port or _USUAL_PORTS[self.security]

    def permits(self, address: str) -> bool:
        """Whether the address may be written to."""
        return any(fnmatchcase(address.lower(), pattern) for pattern in self.allow_recipients)
