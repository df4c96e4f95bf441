"""Mail addresses, and the text of headers: checked so that nothing in them can become a header of its own."""

import re
import unicodedata
from email.headerregistry import Address
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

# Control characters, line and paragraph separators, half characters: what may end a header, or cannot be sent.
_NOT_IN_A_HEADER = {"Cc", "Zl", "Zp", "Cs"}
_ENCODED_WORD = "=?"
_NAMED = re.compile(r"(?P<name>[^<>]*)<(?P<address>[^<>]*)>")
_LOCAL_PART = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*", re.ASCII)
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", re.IGNORECASE)
_LONGEST_LOCAL_PART, _LONGEST_ADDRESS, _LONGEST_NAME = 64, 254, 200


def check_header_text(value: str) -> str:
    """The text, if it can stand in one header.

    Raises:
        ValueError: it has a line break or another control character, or looks like an encoded header.
    """
    wrong = next((sign for sign in value if unicodedata.category(sign) in _NOT_IN_A_HEADER), None)
    if wrong is not None:
        raise ValueError(
            f"there is a {_name_of(wrong)} in it, which a header of a mail cannot hold: write it as one line of text"
        )
    if _ENCODED_WORD in value:
        raise ValueError(f"'{_ENCODED_WORD}' begins an encoded word: write plain text, it is encoded where need be")
    return value


def _name_of(sign: str) -> str:
    if sign in "\r\n":
        return "line break"
    return f"character U+{ord(sign):04X}"


def check_mailbox(value: str) -> str:
    """The mailbox as text, `ada@example.org` or `Ada Lovelace <ada@example.org>`.

    Raises:
        ValueError: it is not one address that a server can be given; says what is expected.
    """
    read_mailbox(value)
    return value


def read_mailbox(text: str) -> Address:
    """The display name and the address; a domain with other than ASCII characters is put in its ASCII form.

    Raises:
        ValueError: the text is not one mailbox.
    """
    checked = check_header_text(text).strip()
    named = _NAMED.fullmatch(checked)
    name, address = (named["name"].strip(), named["address"].strip()) if named else ("", checked)
    local_part, _, domain = address.rpartition("@")
    ascii_domain = _in_ascii(domain)
    if not _LOCAL_PART.fullmatch(local_part) or ascii_domain is None or len(address) > _LONGEST_ADDRESS:
        raise ValueError(
            f"{checked[:80]!r} is not a mail address: write ada@example.org or Ada Lovelace <ada@example.org>, each"
            " address as an element of its own, with ASCII characters before the @"
        )
    if len(local_part) > _LONGEST_LOCAL_PART or len(name) > _LONGEST_NAME:
        raise ValueError(
            f"{checked[:80]!r} is too long: a name has up to {_LONGEST_NAME} characters, and what is before the @ up to"
            f" {_LONGEST_LOCAL_PART}"
        )
    return Address(display_name=_unquoted(name), username=local_part, domain=ascii_domain)


def _in_ascii(domain: str) -> str | None:
    try:
        spelled = domain.encode("idna").decode("ascii")
    except UnicodeError:  # a label that is empty or too long
        return None
    return spelled if all(_LABEL.fullmatch(label) for label in spelled.split(".")) else None


def _unquoted(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name[1:-1]) if name.startswith('"') and name.endswith('"') else name


def _as_list(value: Any) -> Any:  # noqa: ANN401 - whatever the process gives
    if value is None:
        return []
    return [value] if isinstance(value, str) else value


Mailbox = Annotated[str, AfterValidator(check_mailbox)]
Mailboxes = Annotated[list[Mailbox], BeforeValidator(_as_list)]
HeaderText = Annotated[str, AfterValidator(check_header_text)]
