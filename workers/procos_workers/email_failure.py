"""What can go wrong between the worker and a mail server, said so that a person can mend it."""

import smtplib
import socket
import ssl

from procos.sdk import GiveUp

_LONGEST_WORDS = 300
_FIRST_FINAL_CODE = 500

_HINTS_BY_STEP = {
    "the login": "check tde.email.user and the secret that tde.email.password_secret names",
    "the sender": "check tde.email.from_address, and whether tde.email.user may send in its name",
    "the mail itself": "the server's words say what it does not like: its size, its content or its sender",
}


class EmailFailed(Exception):
    """The mail could not be sent and may be another time, so the runtime tries the job again."""


def refused(step: str, code: int, words: bytes | str, *, where: str) -> Exception:
    """The error for a server that said no: for good with 5xx, for now with anything else."""
    message = f"{where}: the server refused {step}: {code} {read(words)}"
    if code < _FIRST_FINAL_CODE:
        return EmailFailed(message)
    hint = _HINTS_BY_STEP.get(step)
    return GiveUp(f"{message}; {hint}" if hint else message)


def read(words: bytes | str) -> str:
    """What a server said, in one readable line."""
    text = words.decode("utf-8", errors="replace") if isinstance(words, bytes) else words
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:_LONGEST_WORDS]


def explain(error: OSError, *, step: str, where: str) -> Exception:
    """Turns smtplib's or the system's error into one that says what to do.

    A server that says no for good (5xx), that lacks what is asked of it, or whose certificate is not trusted ends the
    job; anything about the connection is left to the runtime's retries.
    """
    match error:
        case smtplib.SMTPServerDisconnected(__context__=OSError() as cause) if not isinstance(cause, ssl.SSLError):
            return EmailFailed(f"{where}: {_reason(cause, step)}")  # smtplib says "disconnected" for a timeout, too
        case smtplib.SMTPException():
            return _explain_smtp(error, step, where)
        case ssl.SSLError():
            return _explain_tls(error, where)
        case _:
            return EmailFailed(f"{where}: {_reason(error, step)}")


def _explain_smtp(error: smtplib.SMTPException, step: str, where: str) -> Exception:
    match error:
        case smtplib.SMTPResponseException():
            return refused(step, error.smtp_code, error.smtp_error, where=where)
        case smtplib.SMTPNotSupportedError():
            return GiveUp(f"{where}: {_lacking(step)}")
        case smtplib.SMTPServerDisconnected():
            return EmailFailed(f"{where}: the server closed the connection at {step}; check the server's own log")
        case _:  # of the methods that the server offers for the login, none is known here
            return GiveUp(f"{where}: {step} failed: {read(str(error))}")


def _lacking(step: str) -> str:
    if step == "STARTTLS":
        return "the server offers no STARTTLS on this port; set tde.email.security to tls, or correct tde.email.port"
    return (
        "the server offers no login on this connection; check tde.email.port, or leave tde.email.user and"
        " tde.email.password_secret out"
    )


def _explain_tls(error: ssl.SSLError, where: str) -> Exception:
    if isinstance(error, ssl.SSLCertVerificationError):
        return GiveUp(
            f"{where}: the server's certificate is not trusted ({error.verify_message}); if the server is yours, set"
            " tde.email.ca_certificate to the certificate of its authority, and tde.email.host to a name in it"
        )
    return EmailFailed(
        f"{where}: no TLS connection ({error.reason or 'TLS error'}); check tde.email.security and tde.email.port: 465"
        " is for tls, 587 for starttls"
    )


def _reason(error: OSError, step: str) -> str:
    match error:
        case socket.gaierror():
            return "the host name cannot be resolved; check tde.email.host, and the DNS of this machine"
        case ConnectionRefusedError():
            return "the server refused the connection; check that it runs, and tde.email.port"
        case TimeoutError():
            return (
                f"no answer at {step} within tde.email.answer_limit_seconds; check that the server is up, that no"
                " firewall is in between, and that tde.email.security fits its port"
            )
        case _:
            return f"the connection broke at {step} ({error.strerror or type(error).__name__})"
