"""What a run of a TDE under test came to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic

from pydantic import BaseModel, ValidationError
from typing_extensions import TypeVar

from procos.model.job import Completed, ErrorThrown, Failed, Outcome

OutputT = TypeVar("OutputT", default=Any)


@dataclass(frozen=True, slots=True, kw_only=True)
class TdeResult(Generic[OutputT]):
    """One attempt: the `outcome` that a worker would send to the engine, and what the attempt kept as `progress`.

    A property that does not fit the outcome raises AssertionError with what happened instead, so that a failed test
    says why.
    """

    outcome: Outcome
    attempt: int = 1
    progress: Any = None
    output_model: type[BaseModel] | None = None

    @property
    def variables(self) -> Mapping[str, Any]:
        """The variables that the process gets, as JSON values; an AssertionError unless the job was completed."""
        if isinstance(self.outcome, Completed):
            return self.outcome.variables
        raise self._is_not("completed")

    @property
    def output(self) -> OutputT:
        """The TDE's result, read back from the variables that the process gets; None where it has none."""
        variables = self.variables
        if self.output_model is None:
            return None  # type: ignore[return-value]
        try:
            return self.output_model.model_validate(variables)  # type: ignore[return-value]
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]["msg"]
            raise AssertionError(
                f"{self.output_model.__name__} does not read what it writes ({problem}); look at `variables` instead"
            ) from None

    @property
    def failure(self) -> Failed:
        """The failure, with its `message`, `retries` and `backoff`; an AssertionError unless the job failed."""
        if isinstance(self.outcome, Failed):
            return self.outcome
        raise self._is_not("failed")

    @property
    def bpmn_error(self) -> ErrorThrown:
        """The BPMN error, with its `code`, `message` and `variables`; an AssertionError unless one was thrown."""
        if isinstance(self.outcome, ErrorThrown):
            return self.outcome
        raise self._is_not("ended by a BPMN error")

    def _is_not(self, expected: str) -> AssertionError:
        return AssertionError(f"the job was not {expected}: {_told(self.outcome)}")


def _told(outcome: Outcome) -> str:
    match outcome:
        case Completed(variables):
            return f"it was completed with {dict(variables)!r}"
        case Failed(message, retries):
            return f"it failed, with {retries} retries left: {message}"
        case ErrorThrown(code, message):
            return f"it threw the BPMN error '{code}': {message}"
