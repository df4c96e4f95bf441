"""What a task gives to the notify TDE, what it gets back, and the TDE's own settings."""

from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

Severity = Literal["info", "success", "warning", "failure"]
Format = Literal["text", "markdown", "html"]

# The secrets that the TDE may use; a task cannot put another one into a notification.
SECRETS = ("NOTIFY_*", "notify.*")

# What speaks to the desktop or the system of the worker's machine, not to a service.
LOCAL_SCHEMES = ("blink1", "dbus", "gio", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows")


def _check_secret_name(name: str) -> str:
    expected = "give the name of the secret that holds it; the name begins with NOTIFY_ or notify."
    if "://" in name:
        raise ValueError(f"this is a channel's URL, which belongs among the secrets: {expected}")
    if not any(fnmatchcase(name, pattern) for pattern in SECRETS):
        raise ValueError(f"{name!r} does not name a secret of this TDE: {expected}")
    return name


def _check_text(value: str) -> str:
    if any("\ud800" <= sign <= "\udfff" for sign in value):
        raise ValueError("this has half a character (a lone surrogate), which UTF-8 cannot hold: mend it at its source")
    return value


def _as_list(value: Any) -> Any:  # noqa: ANN401 - whatever the process gives
    return [value] if isinstance(value, str) else value


Text = Annotated[str, AfterValidator(_check_text)]
SchemePattern = Annotated[str, AfterValidator(lambda pattern: pattern.strip().lower().removesuffix("://"))]
SecretName = Annotated[str, AfterValidator(_check_secret_name)]


class NotifyConfig(BaseModel):
    """The table `[tde.notify]` of procos.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    channels: dict[str, SecretName] = Field(
        default={},
        description="The channels that tasks may notify: a name for each, and the name of the secret that holds its URL"
        " as apprise writes it (slack://…); the secret's name begins with NOTIFY_ or notify.",
    )
    allow_schemes: list[SchemePattern] = Field(
        default=["*"], description="Which kinds of service a channel's URL may name, as patterns: slack, mailto*."
    )
    deny_schemes: list[SchemePattern] = Field(
        default=list(LOCAL_SCHEMES),
        description="Which it may not name; they win over allow_schemes. Without it: what speaks to the desktop or the"
        " system of the worker's own machine.",
    )
    answer_limit_seconds: float = Field(
        default=30, gt=0, le=120, description="How long one channel may take to answer, in seconds."
    )

    def permits(self, scheme: str) -> bool:
        """Whether a channel's URL may have the scheme."""
        matches = {kind: any(fnmatchcase(scheme, pattern) for pattern in patterns)
                   for kind, patterns in (("allow", self.allow_schemes), ("deny", self.deny_schemes))}  # fmt: skip
        return matches["allow"] and not matches["deny"]


class NotifyInput(BaseModel):
    """A notification to send."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    channels: Annotated[list[str], BeforeValidator(_as_list)] = Field(
        min_length=1, description="Whom to notify: the name of a channel of tde.notify.channels, or several."
    )
    message: Text = Field(min_length=1, repr=False, description="What to say.")
    title: Text = Field(default="", repr=False, description="A title, for services that show one.")
    format: Format = Field(
        default="text", description="How the message is written; it is converted to what each service takes."
    )
    severity: Severity = Field(default="info", description="How bad it is: services show it as a colour or an icon.")
    require: Literal["all", "any"] = Field(
        default="all",
        description="Whether the job fails when a channel fails, or only when all do. A repeated job notifies only the"
        " channels that failed.",
    )


class FailedChannel(BaseModel):
    """A channel that was not notified."""

    model_config = ConfigDict(extra="forbid")

    channel: str = Field(description="The channel's name.")
    reason: str = Field(description="Why, as far as the service or the connection says.")


class NotifyOutput(BaseModel):
    """Which channels were notified."""

    model_config = ConfigDict(extra="forbid")

    notified: list[str] = Field(description="The channels whose service took the notification.")
    failed: list[FailedChannel] = Field(description="The channels that failed; empty unless `require` is any.")
