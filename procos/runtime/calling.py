"""A TDE's function is called: on the event loop, in a thread, or in a process of its own."""

import asyncio
import contextvars
import inspect
import logging
import threading
from collections.abc import Callable
from typing import Any

from procos.sdk.registration import Tde

_log = logging.getLogger(__name__)


async def call(tde: Tde[..., Any], arguments: tuple[Any, ...]) -> object:
    """Calls the function where it belongs: an async one here, a plain one in a thread; what it returns is awaited."""
    result = tde(*arguments) if tde.is_async else await in_thread(tde, arguments)
    return await result if inspect.isawaitable(result) else result


async def in_thread(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:  # noqa: ANN401 - what it returns
    """Runs a sync function in a daemon thread of its own.

    A pool would do for functions that end; one that hangs would hold a pool's thread, and the process's exit, for ever.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def settle(result: object, error: Exception | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)

    def work() -> None:
        result: object = None
        failure: Exception | None = None
        try:
            result = context.run(function, *arguments)
        except BaseException as error:  # noqa: BLE001 - carried over to the loop, where it is handled
            failure = fit_for_a_future(error)
        try:
            loop.call_soon_threadsafe(settle, result, failure)
        except RuntimeError:
            _log.warning("a function ended after its worker had gone; its result is dropped and its job runs again")

    threading.Thread(target=work, name=f"tde-{getattr(function, 'name', 'function')}", daemon=True).start()
    return await done


def fit_for_a_future(error: BaseException) -> Exception:
    """A future refuses StopIteration, and an exit or a cancellation raised out of one would end more than the job."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    return RuntimeError(f"{type(error).__name__}: {error}")
