"""What a task gives to the file TDE, what it gets back, and the TDE's own settings."""

import base64
import binascii
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from procos.sdk import GiveUp

Operation = Literal["read", "write", "append", "list", "move", "copy", "delete", "exists"]
Format = Literal["text", "json", "base64"]


def _check_path(value: str) -> str:
    if "\0" in value:
        raise ValueError("a path cannot hold a NUL character")
    if any("\ud800" <= sign <= "\udfff" for sign in value):
        raise ValueError("a path cannot hold half a character (a lone surrogate)")
    return value


def _check_pattern(value: str) -> str:
    if "/" in value:
        raise ValueError("a pattern is for names, without '/': put the folder into 'path', or set 'recursive'")
    return value


def _check_root(value: Path) -> Path:
    root = value.expanduser()
    if not root.is_absolute() or ".." in root.parts:
        raise ValueError(f"{str(value)!r}: write the root as an absolute path without '..'")
    return root


PathText = Annotated[str, AfterValidator(_check_path)]


class FileConfig(BaseModel):
    """The table `[tde.file]` of procos.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    roots: list[Annotated[Path, AfterValidator(_check_root)]] = Field(
        default=[],
        description="The folders that tasks may touch, as absolute paths; relative paths of tasks are below the first."
        " Without any: the TDE's own data folder.",
    )
    max_bytes: int = Field(
        default=1024 * 1024,
        gt=0,
        description="The largest content that is read or written through a variable, in bytes. The engine refuses"
        " messages of more than 4 MiB, and base64 grows by a third. Moving and copying know no limit.",
    )
    max_entries: int = Field(default=5000, gt=0, description="The most entries that a listing may have.")


class FileInput(BaseModel):
    """One thing to do with a file or a folder."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    operation: Operation = Field(
        description="read a file; write it as a whole; append to it; list a folder; move or copy to `to`; delete a file"
        " or an empty folder; say whether something exists."
    )
    path: PathText = Field(
        description="The file or folder: relative to the first root, or absolute inside a root. No '..', no symlinks."
    )
    to: PathText | None = Field(default=None, description="Where to move or copy to: the full new path.")
    content: JsonValue = Field(
        default=None, repr=False, description="What to write or append: text, any JSON, or bytes in base64; see format."
    )
    format: Format = Field(
        default="text",
        description="How content is to be taken: text (UTF-8), json (written indented by 2, keys as given, with a line"
        " end; appended as one line) or base64 (bytes).",
    )
    overwrite: bool = Field(
        default=True, description="Whether write, move and copy may replace a file that is there already."
    )
    create_folders: bool = Field(default=True, description="Whether folders that are missing on the way are made.")
    pattern: Annotated[str, AfterValidator(_check_pattern)] = Field(
        default="*", min_length=1, description="For list: which names to list, with * and ? (*.json). No slash."
    )
    recursive: bool = Field(default=False, description="For list: whether to list what is in subfolders too.")
    missing_ok: bool | None = Field(
        default=None,
        description="Whether it is fine if what to delete or move is not there. Without it: fine for delete (a job that"
        " is repeated finds its work done), an error for move, unless the file is at its target already.",
    )

    def content_bytes(self) -> bytes:
        """The content as it goes into the file.

        Raises:
            GiveUp: no content was given, or it is not of the format.
        """
        if "content" not in self.model_fields_set:
            raise GiveUp(f"{self.operation} {self.path}: there is no 'content'; give the task what to {self.operation}")
        if self.format != "json" and not isinstance(self.content, str):
            raise GiveUp(
                f"{self.operation} {self.path}: 'content' has to be a string for the format {self.format}; set 'format'"
                " to json to write any other value"
            )
        try:
            return self._unpack() if self.format == "base64" else self._as_text().encode()
        except UnicodeEncodeError:
            raise GiveUp(
                f"{self.operation} {self.path}: 'content' has half a character (a lone surrogate), which no file in"
                " UTF-8 can hold; mend it where it comes from"
            ) from None

    def _as_text(self) -> str:
        if self.format == "text":
            return str(self.content)
        indent = None if self.operation == "append" else 2
        return json.dumps(self.content, indent=indent, ensure_ascii=False) + "\n"

    def _unpack(self) -> bytes:
        try:
            return base64.b64decode(str(self.content), validate=True)
        except (binascii.Error, ValueError):
            raise GiveUp(
                f"{self.operation} {self.path}: 'content' is not base64; mend it, or set 'format' to text"
            ) from None

    def decode(self, data: bytes) -> JsonValue:
        """A file's bytes as a variable.

        Raises:
            GiveUp: the file is not what the format says.
        """
        if self.format == "base64":
            return base64.b64encode(data).decode("ascii")
        try:
            return data.decode() if self.format == "text" else self._parse(data)
        except UnicodeDecodeError as error:
            raise GiveUp(
                f"{self.operation} {self.path}: the file is not UTF-8 (byte {error.start}); set 'format' to base64"
            ) from None

    def _parse(self, data: bytes) -> JsonValue:
        text = data.decode("utf-8-sig")
        try:
            parsed: JsonValue = json.loads(text, parse_constant=_refuse_constant)
        except json.JSONDecodeError as error:
            reason = f"{error.msg} in line {error.lineno}, column {error.colno}"
        except (ValueError, RecursionError):
            reason = "a number or a nesting that JSON does not allow"
        else:
            return parsed
        raise GiveUp(f"{self.operation} {self.path}: the file is not JSON ({reason}); mend it, or set 'format' to text")


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


class Entry(BaseModel):
    """A file or folder in a listing."""

    model_config = ConfigDict(extra="forbid")

    path: str = Field(description="The absolute path.")
    size_bytes: int = Field(ge=0, description="The size of a file in bytes, 0 for a folder.")
    modified: AwareDatetime = Field(description="When it was changed last, in UTC.")
    is_folder: bool = Field(description="Whether it is a folder.")


class FileOutput(BaseModel):
    """What was done; fields that say nothing about the operation are not set."""

    model_config = ConfigDict(extra="forbid")

    path: str = Field(description="The absolute path of the file or folder; after move and copy, the new one.")
    uri: str = Field(description="The same as a file:// URI.")
    exists: bool = Field(description="Whether the file or folder is there now.")
    size_bytes: int | None = Field(default=None, description="The file's size in bytes.")
    sha256: str | None = Field(
        default=None,
        description="The SHA-256 of the file's content, in hex; after append and move only of files up to"
        " tde.file.max_bytes.",
    )
    content: JsonValue = Field(default=None, description="What was read, in the format that was asked for.")
    entries: list[Entry] | None = Field(default=None, description="What was listed, sorted by path.")


def answer_for(path: Path, *, exists: bool, **more: object) -> FileOutput:
    """An answer in which only what is given counts as set."""
    return FileOutput.model_validate({"path": str(path), "uri": path.as_uri(), "exists": exists, **more})


def utc(seconds: float) -> datetime:
    """A file's time stamp as a moment."""
    return datetime.fromtimestamp(seconds, tz=UTC)
