"""A TaskChooser that asks any chat model that LangChain knows."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from procos.adapters.langchain.prompt import NONE, answer_schema, messages_for
from procos.errors import MissingExtraError, RoutingError
from procos.model.choice import Choice, Question

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

_RETRIES: Final = 1
_LONGEST_NAME: Final = 63


class LangChainTaskChooser:
    """Asks `model`, named as `init_chat_model` takes it: "openai:gpt-4.1-mini". Keys come from where LangChain looks.

    `options` go to the model's class as they are: a base URL, for example.
    """

    def __init__(
        self,
        model: str,
        *,
        time_limit: timedelta = timedelta(seconds=20),
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self._name = model
        self._time_limit = time_limit.total_seconds()
        self._options = dict(options or {})
        self._model: BaseChatModel | None = None
        self._lock = asyncio.Lock()

    @property
    def name(self) -> str:
        """The model, as it was named."""
        return self._name

    async def choose(self, question: Question) -> Choice:
        """One of the question's TDEs, or none of them; a name that is not among them counts as none.

        Raises:
            RoutingError: no usable answer: not reachable, too slow, refused, or not in the form that was asked for.
            MissingExtraError: LangChain is not installed.
        """
        model = await self._opened()
        try:
            async with asyncio.timeout(self._time_limit):
                answer = await model.with_structured_output(answer_schema(question), include_raw=True).ainvoke(
                    messages_for(question)
                )
        except TimeoutError:
            raise RoutingError(f"no answer of {self._name} within {self._time_limit:g} s") from None
        except Exception as error:
            raise RoutingError(f"{self._name} gave no answer: {_kind_of(error)}") from error
        return self._read(answer, question)

    def _read(self, answer: Any, question: Question) -> Choice:  # noqa: ANN401 - whatever a model says
        said = answer.get("parsed") if isinstance(answer, Mapping) else None
        if not isinstance(said, Mapping) or not _is_whole(said):
            raise RoutingError(f"the answer of {self._name} is not in the form that was asked for")
        tde, reason = said["tde"].strip(), said["reason"]
        if tde == NONE:
            return Choice(tde=None, reason=reason)
        if not said["is_sure"]:
            return Choice(tde=None, reason=f"it is not sure of '{tde[:_LONGEST_NAME]}': {reason}")
        if tde not in {entry.name for entry in question.tdes}:
            return Choice(tde=None, reason=f"it said '{tde[:_LONGEST_NAME]}', which is not among them")
        return Choice(tde=tde, reason=reason)

    async def _opened(self) -> "BaseChatModel":
        async with self._lock:
            if self._model is None:
                # The import alone takes a second or two, and the event loop has other things to do.
                self._model = await asyncio.to_thread(self._open)
            return self._model

    def _open(self) -> "BaseChatModel":
        try:
            from langchain.chat_models import init_chat_model  # noqa: PLC0415 - an extra, and slow to import
        except ImportError as error:
            raise MissingExtraError("the chat model of the task router", "ai") from error
        try:
            # No temperature: several models refuse one, and what was decided is kept anyway.
            model: BaseChatModel = init_chat_model(
                self._name, timeout=self._time_limit, max_retries=_RETRIES, **self._options
            )
        except ImportError as error:
            package = error.name or str(error)
            raise RoutingError(
                f"the chat model {self._name} needs a package that is not installed: {package}",
                hint="install LangChain's package for that provider, such as langchain-openai",
            ) from error
        except Exception as error:
            raise RoutingError(
                f"the chat model {self._name} cannot be used: {_kind_of(error)}",
                hint="name provider and model, such as openai:gpt-4.1-mini, and give the provider's key",
            ) from error
        return model


def _is_whole(said: Mapping[str, Any]) -> bool:
    """Whether every part is there: LangChain mends JSON that was cut off, and half a name may be another's."""
    kinds = {"reason": str, "tde": str, "is_sure": bool}
    return all(isinstance(said.get(name), kind) for name, kind in kinds.items())


def _kind_of(error: Exception) -> str:
    """What happened, without the provider's own words: some quote the key, some the task."""
    status = getattr(error, "status_code", None)
    return f"{type(error).__name__}{f', HTTP {status}' if isinstance(status, int) else ''}"
