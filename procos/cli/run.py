"""`procos run`: start an instance, and if wanted watch it and wait for its result."""

import asyncio
import json
import uuid
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from procos.cli import options
from procos.cli.output import print_json, say, settings_of
from procos.errors import EngineError, EngineTimeout, UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from procos.kernel.instance_progress import Step
    from procos.model.instance import ProcessInstance
    from procos.ports.engine import Engine
    from procos.ports.records import RecordTail
    from procos.settings import Settings
    from procos.wiring.engines import EngineSession


def run(
    target: Annotated[str, typer.Argument(help="A process id, or a BPMN file to deploy and run.", metavar="ID|FILE")],
    var: Annotated[
        list[str] | None,
        typer.Option(
            "--var", metavar="NAME=VALUE", help="A start variable; the value is JSON, or else text. Repeatable."
        ),
    ] = None,
    variables: Annotated[
        str | None, typer.Option("--vars", metavar="JSON|@FILE", help="A JSON object, or a file with one.")
    ] = None,
    process: Annotated[
        str | None, typer.Option("--process", metavar="ID", help="Which process of a FILE that holds several.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the end and print the result as JSON.")] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Show each step as it happens, until the end.")] = False,
    timeout: Annotated[float, typer.Option("--timeout", metavar="SECONDS", min=1, help="Longest wait.")] = 600,
    home: options.Home = None,
    address: options.Address = None,
    as_json: options.Json = False,
) -> None:
    """Start a process instance; print its key, or with --wait its result."""
    given = read_variables(var or [], variables)
    given.setdefault("correlationId", uuid.uuid4().hex)
    settings = settings_of(home=home, address=address).values
    work = _Run(settings, target, process, given, timedelta(seconds=timeout), follow=follow, wait=wait)
    outcome = asyncio.run(work.go())
    if wait:
        print_json(outcome)
    elif as_json:
        print_json({"processInstanceKey": work.key, "correlationId": given["correlationId"]})
    else:
        typer.echo(work.key)


def read_variables(pairs: list[str], whole: str | None) -> dict[str, Any]:
    """The start variables: those of `whole` (JSON object or @FILE), then NAME=VALUE pairs over them.

    Raises:
        UsageError: names what is not JSON, and where.
    """
    variables = _read_whole(whole) if whole else {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UsageError(f"--var {pair}: give NAME=VALUE")
        try:
            variables[name] = _from_json(value)
        except ValueError:
            variables[name] = value
    return variables


def _read_whole(whole: str) -> dict[str, Any]:
    where, text = "--vars", whole
    if whole.startswith("@"):
        where = whole[1:]
        try:
            text = Path(where).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"--vars {whole}: the file cannot be read: {error}") from None
    try:
        variables = _from_json(text)
    except ValueError as error:
        raise UsageError(f"{where} is not JSON: {error}", hint="""give an object, such as '{"amount": 3}'""") from None
    if not isinstance(variables, dict):
        raise UsageError(
            f"{where} is {type(variables).__name__}, not a JSON object", hint="""such as '{"amount": 3}'"""
        )
    return variables


def _from_json(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """What the engine takes for JSON, too: Python alone reads NaN and infinity."""
    try:
        value = json.loads(text)
        json.dumps(value, allow_nan=False)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return value


class _Run:
    """One `procos run`; `key` is the instance's once it has started."""

    def __init__(
        self,
        settings: "Settings",
        target: str,
        process: str | None,
        variables: dict[str, Any],
        timeout: timedelta,
        *,
        follow: bool,
        wait: bool,
    ) -> None:
        self._settings = settings
        self._target = target
        self._process = process
        self._variables = variables
        self._timeout = timeout
        self._follow = follow
        self._wait = wait
        self._names: dict[str, str] = {}
        self.key = 0

    async def go(self) -> dict[str, Any] | None:
        from procos.wiring.engines import connect

        async with connect(self._settings) as session:
            process_id = await self._process_id(session)
            if self._follow and session.records is None:
                raise UsageError(
                    "--follow reads the record log of the embedded engine; this gateway has none on this machine",
                    hint="use --wait, or look at the instance in Operate",
                )
            if session.records is not None and (self._follow or self._wait):
                tail = session.records.tail()
                instance = await self._start(session.engine, process_id)
                return await self._watch(tail, instance)
            if self._wait:
                return await self._result(session.engine, process_id)
            await self._start(session.engine, process_id)
            return None

    async def _process_id(self, session: "EngineSession") -> str:
        from procos.kernel.resource_files import SUFFIXES, element_names, read_resources
        from procos.wiring import deploying

        path = Path(self._target)
        if path.suffix not in SUFFIXES:
            return self._target
        resources = read_resources([path])
        self._names = element_names(resources[0])
        user = deploying.this_user()
        deployed = await deploying.deploy(self._settings, session, resources, deployed_by=user)
        for notice in deploying.notices(deployed):
            say(notice)
        ids = deployed.deployment.process_ids
        if self._process in ids:
            return str(self._process)
        if self._process or len(ids) != 1:
            found = ", ".join(ids) or "none"
            raise UsageError(f"{path} holds these processes: {found}", hint="name one of them with --process")
        return ids[0]

    async def _start(self, engine: "Engine", process_id: str) -> "ProcessInstance":
        instance = await engine.create_instance(process_id, variables=self._variables)
        self.key = instance.key
        if self._wait or self._follow:
            say(f"instance {instance.key} of '{process_id}', version {instance.process_definition_version}")
        return instance

    async def _watch(self, tail: "RecordTail", instance: "ProcessInstance") -> dict[str, Any]:
        from procos.kernel.instance_progress import InstanceProgress

        progress = InstanceProgress(instance.key)
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                async for record in tail.of_instance(instance.key):
                    step = progress.apply(record)
                    if self._wait and record.value_type == "INCIDENT" and record.intent == "CREATED":
                        raise _stopped(instance.key, self._names, step)
                    if step is not None and (self._follow or step.trouble):
                        self._tell(step, record.timestamp)
        except TimeoutError:
            raise EngineTimeout(
                f"instance {instance.key} has not ended within {self._timeout.total_seconds():g} s; it goes on",
                hint="--timeout waits longer",
            ) from None
        if progress.status == "terminated":
            raise EngineError(f"instance {instance.key} was cancelled or terminated before it ended")
        return progress.variables

    async def _result(self, engine: "Engine", process_id: str) -> dict[str, Any]:
        result = await engine.create_instance_with_result(process_id, timeout=self._timeout, variables=self._variables)
        self.key = result.instance.key
        return dict(result.variables)

    def _tell(self, step: "Step", moment: "datetime") -> None:
        name = self._names.get(step.element_id) or step.element_id
        times = f" ({step.times} times)" if step.times > 1 else ""
        say(
            f"{moment.astimezone():%H:%M:%S}  {step.status:<10} {name}{times}"
            + (f"  ! {step.trouble}" if step.trouble else "")
        )


def _stopped(process_instance_key: int, names: dict[str, str], step: "Step | None") -> EngineError:
    where = f" at '{names.get(step.element_id) or step.element_id}': {step.trouble}" if step else ""
    return EngineError(
        f"instance {process_instance_key} stopped{where}",
        hint="mend what it names, then resolve the incident (zbctl, Operate): the instance goes on from there",
    )
