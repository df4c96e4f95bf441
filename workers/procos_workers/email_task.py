"""What a task gives to the email TDE, and what it gets back."""

import base64
import mimetypes
import re
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from procos_workers.email_address import HeaderText, Mailboxes, read_mailbox
from procos_workers.http_request import Base64Text

_MEDIA_TYPE = re.compile(r"(?P<main>[a-z0-9][a-z0-9!#$&^_.+-]*)/(?P<sub>[a-z0-9][a-z0-9!#$&^_.+-]*)", re.IGNORECASE)
_UNKNOWN_TYPE = "application/octet-stream"


def _check_media_type(value: str) -> str:
    found = _MEDIA_TYPE.fullmatch(value.strip())
    if found is None:
        raise ValueError("this is not a media type: write it as text/csv or application/pdf, without parameters")
    if found["main"].lower() in {"multipart", "message"}:
        raise ValueError("a mail inside a mail is not attached under its own type: use application/octet-stream")
    return value.strip().lower()


def _check_filename(value: str) -> str:
    if "/" in value or "\\" in value:
        raise ValueError("a filename has no folder: leave out what is before the last slash")
    return value


def _check_text(value: str) -> str:
    if any("\ud800" <= sign <= "\udfff" for sign in value):
        raise ValueError("this has half a character (a lone surrogate), which no mail can hold: mend it at its source")
    return value


BodyText = Annotated[str, AfterValidator(_check_text)]


class Attachment(BaseModel):
    """A file that goes with the mail."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    filename: Annotated[HeaderText, AfterValidator(_check_filename)] = Field(
        min_length=1, max_length=200, description="The name under which the reader sees the file."
    )
    text: BodyText | None = Field(default=None, repr=False, description="The file's content as text, sent in UTF-8.")
    base64: Base64Text | None = Field(default=None, repr=False, description="The file's content as bytes in base64.")
    media_type: Annotated[str, AfterValidator(_check_media_type)] | None = Field(
        default=None, description="The file's media type; without it, guessed from the filename."
    )

    @model_validator(mode="after")
    def _has_one_content(self) -> Self:
        if (self.text is None) == (self.base64 is None):
            raise ValueError("give the file's content either as 'text' or as 'base64'")
        return self

    @property
    def content(self) -> bytes:
        """The file's bytes."""
        return (self.text or "").encode() if self.base64 is None else base64.b64decode(self.base64)

    @property
    def type_parts(self) -> tuple[str, str]:
        """The media type's two parts."""
        guessed, packed = mimetypes.guess_type(self.filename)
        main, _, sub = (self.media_type or (None if packed else guessed) or _UNKNOWN_TYPE).partition("/")
        return main, sub


class EmailInput(BaseModel):
    """A mail to send."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    to: Mailboxes = Field(
        default=[],
        description="Who gets the mail: an address, or several; each ada@example.org or Ada <ada@example.org>.",
    )
    cc: Mailboxes = Field(default=[], description="Who gets a copy that everybody sees.")
    bcc: Mailboxes = Field(default=[], description="Who gets a copy that nobody else sees.")
    reply_to: Mailboxes = Field(default=[], description="Where answers go, if not to the sender.")
    subject: HeaderText = Field(max_length=900, description="The subject, in one line.")
    text: BodyText | None = Field(default=None, repr=False, description="The mail as plain text.")
    html: BodyText | None = Field(
        default=None, repr=False, description="The mail as HTML; with `text` too, the reader's program chooses."
    )
    attachments: list[Attachment] = Field(default=[], repr=False, description="Files that go with the mail.")
    all_or_none: bool = Field(
        default=False,
        description="Whether nobody gets the mail if the server refuses one recipient. Without it, the others get it,"
        " and who was refused is in the output.",
    )

    @model_validator(mode="after")
    def _can_be_sent(self) -> Self:
        if not (self.to or self.cc or self.bcc):
            raise ValueError("a mail needs a recipient: give 'to', 'cc' or 'bcc'")
        if self.text is None and self.html is None:
            raise ValueError("a mail needs a body: give 'text', 'html' or both")
        return self

    def recipients(self) -> list[str]:
        """Every address once, in the order given."""
        found = (read_mailbox(mailbox).addr_spec for mailbox in (*self.to, *self.cc, *self.bcc))
        return list({address.lower(): address for address in found}.values())


class Refusal(BaseModel):
    """A recipient that the server did not take, in the server's own words."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: str = Field(description="The recipient's address.")
    code: int = Field(description="The server's code: 5xx, refused for good.")
    reason: str = Field(description="What the server said.")


class EmailOutput(BaseModel):
    """What became of the mail."""

    model_config = ConfigDict(extra="forbid")

    message_id: str = Field(description="The mail's Message-ID; the same if the job is repeated.")
    accepted: list[str] = Field(description="The addresses that the server took the mail for.")
    refused: list[Refusal] = Field(description="The addresses that it did not take, and why; empty if it took all.")
