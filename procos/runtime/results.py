"""What a TDE's function returned or raised becomes the outcome of its job."""

import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from procos.errors import BpmnError, GiveUp, RetryLater, StoreError
from procos.model.job import Completed, ErrorThrown, Failed, Job, Outcome
from procos.runtime.attempt import Attempt
from procos.runtime.inputs import SecretResolver
from procos.runtime.retries import backoff, policy_of, retries_left
from procos.sdk.registration import Tde

ERROR_CODE_HEADER: Final = "errorCode"
"""Task header: the BPMN error that a job throws, instead of raising an incident, when it has failed for good."""

ERROR_DETAILS_HEADER: Final = "errorDetails"
"""Task header: with "true", who catches a BPMN error of whatever code finds errorCode and errorMessage with it."""

_LONGEST_MESSAGE = 8_000


def variables_of(tde: Tde[..., Any], result: object) -> tuple[dict[str, Any], int]:
    """The variables that `result` stands for, and how many characters of JSON they are about.

    Raises:
        TypeError: the result is not what the function declares, or JSON cannot hold it.
    """
    expected = tde.output_model
    if expected is None and result is None:
        return {}, 0
    if expected is None or not isinstance(result, expected):
        name = expected.__name__ if expected else "None"
        raise TypeError(f"'{tde.name}' returned {type(result).__name__}, which is not the {name} that it declares")
    return _json_of(tde.name, result)


def _json_of(name: str, result: BaseModel) -> tuple[dict[str, Any], int]:
    try:
        variables: object = result.model_dump(mode="json", by_alias=True)
        # The JSON mode turns NaN and infinity into null without a word; the Python mode keeps them.
        text = json.dumps(result.model_dump(mode="python"), allow_nan=False, default=str, skipkeys=True)
    except ValueError as error:
        raise TypeError(f"'{name}' returned something that is not JSON: {error}") from error
    if not isinstance(variables, dict):
        raise TypeError(f"'{name}' returned a {type(variables).__name__}, variables are a JSON object")
    return variables, len(text)


def thrown(error: BpmnError, job: Job) -> ErrorThrown:
    """The BPMN error that a function raised; with its code and message among the variables where the task asks for it.

    Raises:
        TypeError: JSON cannot hold its variables.
    """
    try:
        variables = json.loads(json.dumps(error.variables, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as wrong:
        raise TypeError(f"the variables of BPMN error '{error.code}' are not JSON: {wrong}") from wrong
    if job.custom_headers.get(ERROR_DETAILS_HEADER) == "true":
        variables |= {"errorCode": error.code, "errorMessage": error.message}
    return ErrorThrown(error.code, error.message, variables)


def failure(tde: Tde[..., Any], job: Job, attempt: Attempt, error: BaseException) -> Outcome:
    """What the engine shall hear of a function that raised."""
    message = _message_of(error)
    attempt.is_spent = not (isinstance(error, RetryLater) and error.keep_retries)
    policy = policy_of(tde.retry, job)
    retries = retries_left(job, attempt, policy, error)
    code = job.custom_headers.get(ERROR_CODE_HEADER)
    if retries > 0:
        return Failed(message, retries=retries, backoff=backoff(attempt, policy, error))
    if code:
        return ErrorThrown(code, message, {"errorCode": code, "errorMessage": message})
    return Failed(message, retries=0)


def concealed(outcome: Outcome, resolver: SecretResolver) -> Outcome:
    """The outcome with every secret that the job used put back as its reference."""
    match outcome:
        case Completed(variables):
            return Completed(resolver.conceal(variables))
        case Failed(message, retries, wait):
            return Failed(resolver.conceal(message), retries, wait)
        case ErrorThrown(code, message, variables):
            return ErrorThrown(code, resolver.conceal(message), resolver.conceal(variables))


def with_variables(outcome: Outcome, variables: Mapping[str, Any]) -> Outcome:
    """The same outcome with other variables."""
    if isinstance(outcome, ErrorThrown):
        return ErrorThrown(outcome.code, outcome.message, variables)
    return Completed(variables) if isinstance(outcome, Completed) else outcome


def _message_of(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    if not isinstance(error, GiveUp | RetryLater | TimeoutError | StoreError):
        text = f"{type(error).__name__}: {text}"
    return text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + " … (cut)"
