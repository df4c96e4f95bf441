"""The `@tde` decorator: a typed function becomes a TDE."""

import inspect
import re
import typing
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, ParamSpec, TypeVar

from pydantic import AliasChoices, AliasPath, BaseModel, RootModel

from procos.errors import PluginError
from procos.model.tde import Mode, TdeManifest
from procos.sdk.context import NoConfig, TaskContext
from procos.sdk.retry import RetryPolicy

P = ParamSpec("P")
R = TypeVar("R")
Q = ParamSpec("Q")
S = TypeVar("S")

_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")


@dataclass(frozen=True, kw_only=True)
class Tde(Generic[P, R]):
    """A registered TDE; calling it calls the function behind it, so that a test needs no engine."""

    name: str
    job_type: str
    description: str
    mode: Mode
    function: Callable[P, R]
    input_model: type[BaseModel]
    output_model: type[BaseModel] | None
    config_model: type[BaseModel]
    takes_context: bool
    time_limit: timedelta
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    cpu_bound: bool = False
    secrets: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    undo: "Tde[..., Any] | None" = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Calls the function."""
        return self.function(*args, **kwargs)

    @property
    def is_async(self) -> bool:
        """Whether the function is a coroutine function."""
        return inspect.iscoroutinefunction(self.function)

    @property
    def variable_names(self) -> tuple[str, ...]:
        """The process variables to fetch: those that the input model reads, or none (all) when it takes extra ones."""
        return () if self.input_model.model_config.get("extra") == "allow" else read_by(self.input_model)

    def manifest(self, *, distribution: str = "") -> TdeManifest:
        """The TDE described for the catalogue; `distribution` is the package that brought it."""
        output = self.output_model.model_json_schema(mode="serialization") if self.output_model else {"type": "null"}
        return TdeManifest(
            name=self.name,
            job_type=self.job_type,
            description=self.description,
            mode=self.mode,
            input_schema=self.input_model.model_json_schema(),
            output_schema=output,
            time_limit=self.time_limit,
            attempts=self.retry.attempts,
            secrets=self.secrets,
            examples=self.examples,
            undo_job_type=self.undo.job_type if self.undo else None,
            distribution=distribution,
        )


def read_by(model: type[BaseModel]) -> tuple[str, ...]:
    """The names under which `model` reads its fields: their aliases, or their own names, or both."""
    config = model.model_config
    by_alias = config.get("validate_by_alias", True)
    by_name = config.get("populate_by_name") or config.get("validate_by_name")
    names: dict[str, None] = {}
    for name, info in model.model_fields.items():
        aliases = _first_keys(info.validation_alias) if by_alias else ()
        names |= dict.fromkeys((*aliases, name) if by_name or not aliases else aliases)
    return tuple(names)


def _first_keys(alias: str | AliasPath | AliasChoices | None) -> tuple[str, ...]:
    match alias:
        case str():
            return (alias,)
        case AliasPath():
            return (str(alias.path[0]),)
        case AliasChoices():
            return tuple(key for choice in alias.choices for key in _first_keys(choice))
        case None:
            return ()


def tde(
    name: str,
    *,
    description: str,
    job_type: str | None = None,
    mode: Mode = "deterministic",
    config: type[BaseModel] = NoConfig,
    time_limit: timedelta = timedelta(minutes=5),
    retry: RetryPolicy | None = None,
    cpu_bound: bool = False,
    secrets: Sequence[str] = (),
    examples: Sequence[str] = (),
    undo: Callable[..., Any] | None = None,
) -> Callable[[Callable[P, R]], Tde[P, R]]:
    """Makes a TDE of a function, sync or async, that takes a pydantic model and returns one (or None).

    The function may take a `TaskContext` as its second parameter. The job type is `tde.NAME` unless given. A run that
    takes longer than `time_limit` has failed. Register the result in the entry point group `procos.tdes`.

    `cpu_bound` runs a plain function in a process of its own, so that it neither blocks nor slows other jobs.
    `secrets` are the names, or patterns with `*`, of the secrets that the TDE may use, from the context or where a
    variable says `{{secrets.NAME}}`. `examples` are tasks in plain words that this TDE is right for.

    `undo` is a function like the TDE's own, with a model of its own: it undoes what the TDE did. It gets the variables
    that the TDE got, and what the TDE gave back in the variable `output`. Its job type is the TDE's with `.undo`; the
    TDE's process calls it to compensate, and any process may.

    Raises:
        PluginError: the name or the function's signature is not usable; says what is expected.
    """
    if not _NAME.fullmatch(name):
        raise PluginError(f"TDE name {name!r}: use lower-case letters, digits and hyphens, starting with a letter")

    def make(function: Callable[Q, S], of_type: str, undoing: "Tde[..., Any] | None" = None) -> Tde[Q, S]:
        signature = _read_signature(function)
        if cpu_bound and inspect.iscoroutinefunction(function):
            raise PluginError(f"TDE {name!r}: an async function cannot be cpu_bound; write it with a plain def")
        return Tde(
            name=name,
            job_type=of_type,
            description=description,
            mode=mode,
            function=function,
            input_model=signature.input_model,
            output_model=signature.output_model,
            config_model=config,
            takes_context=signature.takes_context,
            time_limit=time_limit,
            retry=retry or RetryPolicy(),
            cpu_bound=cpu_bound,
            secrets=tuple(secrets),
            examples=tuple(examples),
            undo=undoing,
        )

    def register(function: Callable[P, R]) -> Tde[P, R]:
        own_type = job_type or f"tde.{name}"
        return make(function, own_type, make(undo, f"{own_type}.undo") if undo else None)

    return register


@dataclass(frozen=True)
class _Signature:
    input_model: type[BaseModel]
    output_model: type[BaseModel] | None
    takes_context: bool


def _read_signature(function: Callable[..., Any]) -> _Signature:
    where = f"{function.__module__}.{getattr(function, '__qualname__', repr(function))}"
    try:
        hints = typing.get_type_hints(function)
    except (NameError, TypeError) as error:
        raise PluginError(f"{where}: its annotations cannot be read: {error}") from error
    parameters = _positional_parameters(function, where)
    if not 1 <= len(parameters) <= 2:  # noqa: PLR2004
        raise PluginError(
            f"{where} takes {len(parameters)} parameters: a TDE takes its input model and, if it wants, a TaskContext"
        )
    input_model = hints.get(parameters[0])
    if not _is_model(input_model) or issubclass(typing.cast("type", input_model), RootModel):
        raise PluginError(
            f"{where}: annotate '{parameters[0]}' with a pydantic model; it says which variables the TDE needs"
        )
    takes_context = len(parameters) > 1
    if takes_context and not _is_context(hints.get(parameters[1])):
        raise PluginError(f"{where}: annotate '{parameters[1]}' with procos.sdk.TaskContext")
    output_model = _unwrap_awaitable(hints.get("return", inspect.Parameter.empty))
    if output_model is type(None):
        output_model = None
    elif not _is_model(output_model):
        raise PluginError(f"{where}: annotate what it returns, with a pydantic model or None")
    return _Signature(typing.cast("type[BaseModel]", input_model), output_model, takes_context)


def _positional_parameters(function: Callable[..., Any], where: str) -> list[str]:
    parameters = inspect.signature(function).parameters
    for name, parameter in parameters.items():
        if parameter.kind not in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD}:
            raise PluginError(f"{where}: '{name}' must be a plain parameter; a TDE is called by position")
    return list(parameters)


def _is_model(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _is_context(annotation: object) -> bool:
    return annotation is TaskContext or typing.get_origin(annotation) is TaskContext


def _unwrap_awaitable(annotation: Any) -> Any:  # noqa: ANN401 - an annotation may be anything
    origin = typing.get_origin(annotation)
    return typing.get_args(annotation)[-1] if isinstance(origin, type) and issubclass(origin, Awaitable) else annotation
