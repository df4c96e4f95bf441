"""The TDE `notify`: sends a notification to channels of the settings, each a service that apprise knows."""

import difflib
import hashlib
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from procos.sdk import GiveUp, RetryPolicy, TaskContext, tde
from procos_workers.notify_channel import Channel, Failure, open_channel
from procos_workers.notify_task import SECRETS, FailedChannel, NotifyConfig, NotifyInput, NotifyOutput

_SHORTEST_SECRET = 6


class NotifyFailed(Exception):
    """A channel failed and may succeed another time, so the runtime tries the job again."""


@tde(
    "notify",
    description="Notifies people through chat, push, SMS and more than a hundred other services",
    config=NotifyConfig,
    time_limit=timedelta(minutes=15),
    retry=RetryPolicy(first_backoff=timedelta(seconds=10), factor=3, longest_backoff=timedelta(minutes=15)),
    secrets=SECRETS,
    examples=("Tell the team in the chat that the deployment is done", "Send the person on call a push notification"),
)
def notify(task: NotifyInput, context: TaskContext[NotifyConfig]) -> NotifyOutput:
    """Sends a notification to each channel, one after the other.

    A process names channels; their URLs, which hold tokens, are secrets of the worker. Channels that took the
    notification are kept with the job: a repeated job does not notify them again.

    Raises:
        GiveUp: a person has to mend something: a channel that is not in the settings, a URL that apprise cannot use, a
            service that refuses it (4xx).
        NotifyFailed: it may work later: no connection, no answer in time, a service in trouble.
    """
    wanted = list(dict.fromkeys(task.channels))
    urls = {name: _url_of(name, context) for name in wanted}
    _refuse_secrets_in(task, urls.values())
    content = hashlib.sha256(task.model_dump_json(include={"title", "message"}).encode()).hexdigest()
    notified = _earlier(context.saved, content)
    channels = [_open(name, urls[name], context) for name in wanted if name not in notified]
    failures: dict[str, Failure] = {}
    for channel in channels:
        if context.cancelled:
            raise NotifyFailed("the job is gone, so no further channel was notified")
        failure = channel.notify(task, limit_seconds=context.config.answer_limit_seconds)
        if failure is None:
            notified.append(channel.name)
            context.progress({"content": content, "notified": notified})
        else:
            failures[channel.name] = failure
            context.logger.warning("channel '%s' was not notified: %s", channel.name, failure.reason)
    done = [name for name in wanted if name in notified]
    if failures and (task.require == "all" or not done):
        raise _outcome(done, failures)
    failed = [FailedChannel(channel=name, reason=failure.reason) for name, failure in failures.items()]
    return NotifyOutput(notified=done, failed=failed)


def _url_of(name: str, context: TaskContext[NotifyConfig]) -> str:
    channels = context.config.channels
    if name in channels:
        return context.secret(channels[name]).strip()
    near = difflib.get_close_matches(name, channels, n=1)
    if near:
        raise GiveUp(f"there is no channel '{name}'; is '{near[0]}' meant? See tde.notify.channels in the settings")
    known = ", ".join(sorted(channels)) or "none"
    raise GiveUp(f"there is no channel '{name}' in tde.notify.channels of the settings; there is: {known}")


def _open(name: str, url: str, context: TaskContext[NotifyConfig]) -> Channel:
    secret_name = context.config.channels[name]
    scheme, separator, _ = url.partition("://")
    if not separator:
        raise GiveUp(f"channel '{name}': the secret {secret_name} is not a URL as apprise writes it (slack://…)")
    if not context.config.permits(scheme.lower()):
        raise GiveUp(
            f"channel '{name}': services of this kind are not allowed; see tde.notify.allow_schemes and"
            f" tde.notify.deny_schemes, and the secret {secret_name}"
        )
    return open_channel(name, url, secret_name=secret_name)


def _refuse_secrets_in(task: NotifyInput, urls: Iterable[str]) -> None:
    if any(url in text for url in urls if len(url) >= _SHORTEST_SECRET for text in (task.title, task.message)):
        raise GiveUp(
            "the notification holds the URL of a channel, which is secret; take it out of the task's variables"
        )


def _earlier(saved: Any, content: str) -> list[str]:  # noqa: ANN401 - any JSON value
    # A message that was changed since, when an incident was resolved, is another notification.
    is_ours = isinstance(saved, Mapping) and saved.get("content") == content
    return list(saved["notified"]) if is_ours else []


def _outcome(done: list[str], failures: Mapping[str, Failure]) -> Exception:
    reasons = "; ".join(f"{name}: {failure.reason}" for name, failure in failures.items())
    message = f"not notified: {reasons}" + (f" (notified: {', '.join(done)})" if done else "")
    is_final = all(failure.is_final for failure in failures.values())
    return GiveUp(message) if is_final else NotifyFailed(message)
