"""A mail as it goes over the wire."""

import hashlib
from collections.abc import Sequence
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, localtime, quote

from procos_workers.email_address import read_mailbox
from procos_workers.email_task import Attachment, EmailInput

# Everything in seven bits: no server needs an extension to pass the mail on.
_POLICY = SMTP.clone(cte_type="7bit")


def message_id(mail: EmailInput, *, sender: Address, idempotency_key: str) -> str:
    """The same for every attempt to send this mail in this job.

    What the mail says is part of it: engines that were started afresh give the same job keys to other jobs, and a
    reader that knows an ID drops the second mail under it.
    """
    content = hashlib.sha256(f"{sender}\n{mail.model_dump_json()}".encode()).hexdigest()[:32]
    return f"<{idempotency_key}.{content}@{sender.domain}>"


def compose(mail: EmailInput, *, sender: Address, identity: str) -> bytes:
    """The whole mail, with its headers; whom it goes to in secret (bcc) is not in it."""
    headers = {
        "From": _mailbox(sender),
        "To": _mailboxes(mail.to) or ("" if mail.cc else "undisclosed-recipients:;"),
        "Cc": _mailboxes(mail.cc),
        "Reply-To": _mailboxes(mail.reply_to),
        "Subject": _encoded(mail.subject.strip()),
        "Date": format_datetime(localtime()),
        "Message-ID": identity,
        "Auto-Submitted": "auto-generated",  # RFC 3834: absence notes are not sent in answer
    }
    lines = (f"{name}: {value}\r\n" for name, value in headers.items() if value or name == "Subject")
    return "".join(lines).encode("ascii") + _body(mail)


def _mailboxes(mailboxes: Sequence[str]) -> str:
    return ",\r\n ".join(_mailbox(read_mailbox(mailbox)) for mailbox in mailboxes)


def _mailbox(mailbox: Address) -> str:
    # Not left to EmailMessage: some Pythons (3.11.7) put the address itself into an encoded word, if the name is long.
    name = mailbox.display_name
    if not name:
        return mailbox.addr_spec
    shown = f'"{quote(name)}"' if name.isascii() else _encoded(name)
    return f"{shown} <{mailbox.addr_spec}>"


def _encoded(text: str) -> str:
    return text if text.isascii() else Header(text, "utf-8", header_name="Reply-To").encode(linesep="\r\n")


def _body(mail: EmailInput) -> bytes:
    message = EmailMessage(policy=_POLICY)
    _fill(message, mail)
    return message.as_bytes()


def _fill(message: EmailMessage, mail: EmailInput) -> None:
    if mail.text is not None:
        message.set_content(mail.text)
        if mail.html is not None:
            message.add_alternative(mail.html, subtype="html")
    else:
        message.set_content(mail.html or "", subtype="html")
    for attachment in mail.attachments:
        _attach(message, attachment)


def _attach(message: EmailMessage, attachment: Attachment) -> None:
    main, sub = attachment.type_parts
    is_utf8 = main == "text" and attachment.text is not None
    message.add_attachment(
        attachment.content,
        maintype=main,
        subtype=sub,
        filename=attachment.filename,
        params={"charset": "utf-8"} if is_utf8 else None,
    )
