"""Every error that ProcOS raises on purpose.

Exception
├── ProcosError                 exit 1   something failed; `hint` says how to mend it
│   ├── UsageError              exit 2   the command, a file or a variable is wrong
│   ├── SettingsError           exit 2   a setting is wrong; names the setting and its source
│   ├── MissingExtraError       exit 1   an optional dependency is not installed
│   ├── KernelError             exit 1   the kernel cannot boot, or is not what was expected
│   ├── EngineError             exit 1
│   │   ├── EngineUnavailable   exit 3   no engine answers at the address
│   │   ├── EngineTimeout       exit 1   the engine did not answer in time
│   │   ├── EngineOverloaded    exit 1   backpressure: the engine asks to slow down
│   │   ├── EngineNotFound      exit 1   no such definition, instance, job or incident
│   │   ├── EngineRejected      exit 1   refused, with the engine's own reason
│   │   ├── EngineUnsupported   exit 1   this engine, or this version of it, cannot do that
│   │   └── EngineInstallError  exit 1   the embedded engine cannot be fetched, unpacked or started
│   ├── StoreError              exit 1
│   ├── RoutingError            exit 1
│   └── PluginError             exit 1   a TDE or its package is not usable
└── TaskOutcome                          what a TDE raises to say how its job ends
    ├── BpmnError                        the process shall catch this error code
    ├── RetryLater                       not now; try again after a while
    └── GiveUp                           trying again is useless
"""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar


class ProcosError(Exception):
    """An error that a person reads: what is wrong, and in `hint` what to do about it."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(ProcosError):
    """The command, a file or a variable that the user gave is wrong."""

    exit_code = 2


class SettingsError(ProcosError):
    """A setting is wrong; the message names the setting and where it was set."""

    exit_code = 2


class MissingExtraError(ProcosError):
    """An optional dependency is not installed; the hint is the command that installs it."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} needs the extra '{extra}', which is not installed", hint=f"pip install 'procos[{extra}]'"
        )


class KernelError(ProcosError):
    """The kernel cannot boot, or is not in the state that a command needs."""


class EngineError(ProcosError):
    """Something between ProcOS and Zeebe failed."""


class EngineUnavailable(EngineError):
    """No engine answers at the address."""

    exit_code = 3


class EngineTimeout(EngineError):
    """The engine did not answer in time; what was asked may still have happened."""


class EngineOverloaded(EngineError):
    """Backpressure: the engine refused the request for now."""


class EngineNotFound(EngineError):
    """The engine knows no such definition, instance, job or incident."""


class EngineRejected(EngineError):
    """The engine refused the request; `reason` is its own words."""

    def __init__(self, message: str, *, reason: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class EngineUnsupported(EngineError):
    """This engine, or this version of it, has no such feature."""


class EngineInstallError(EngineError):
    """The embedded engine cannot be fetched, unpacked or started."""


class StoreError(ProcosError):
    """A database, object store or vector store failed."""


class RoutingError(ProcosError):
    """The task router could not do its work."""


class PluginError(ProcosError):
    """A TDE, or the package that brings it, is not usable."""


class TaskOutcome(Exception):
    """What a TDE raises to say how its job ends."""


class BpmnError(TaskOutcome):
    """Throws a BPMN error, which an error boundary event with the same code catches.

    `variables` are local to the event that catches it: its output mappings bring them into the process.
    """

    def __init__(self, code: str, message: str = "", *, variables: Mapping[str, Any] | None = None) -> None:
        super().__init__(message or code)
        if not isinstance(code, str):
            raise TypeError(f"BpmnError(code) takes text, not {type(code).__name__}")
        self.code = code
        self.message = message
        self.variables = dict(variables or {})

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(BpmnError, self.code, self.message, variables=self.variables), ()


class RetryLater(TaskOutcome):
    """Fails the job for now; it runs again `after` that time while retries remain.

    With `keep_retries` it uses up none of them: for waiting, where nothing is wrong.
    """

    def __init__(self, message: str, *, after: timedelta, keep_retries: bool = False) -> None:
        super().__init__(message)
        if not isinstance(after, timedelta):
            raise TypeError(f"RetryLater(after=...) takes a timedelta, not {type(after).__name__}")
        self.after = after
        self.keep_retries = keep_retries

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(RetryLater, str(self), after=self.after, keep_retries=self.keep_retries), ()


class GiveUp(TaskOutcome):
    """Fails the job for good: no retries are left, an incident is raised."""
