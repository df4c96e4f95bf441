"""The text of the generated module with the TDEs."""

from collections.abc import Iterable, Sequence

from procos.authoring.openapi.build import Built
from procos.authoring.openapi.code import (
    Call,
    Value,
    as_sorters_do,
    docstring,
    import_lines,
    layout,
    listed_values,
    quoted,
)
from procos.authoring.openapi.parameters import Parameter


def operations_module(title: str, built: Sequence[Built]) -> str:
    """The module with a TDE for each operation."""
    servers = {
        url: f"SERVER_{number}" if number > 1 else "SERVER" for number, url in enumerate(_servers(built), start=1)
    }
    names = {one.input.name for one in built} | {one.output.name for one in built if one.output}
    lines = docstring(f"The TDEs of {title}: one for each operation.")
    lines += ["", "from procos.sdk import TaskContext, tde", ""]
    lines += import_lines(".calling", sorted(_of_calling(built), key=as_sorters_do))
    lines += import_lines(".models", sorted(names, key=as_sorters_do))
    lines += ["", *(f"{name} = {quoted(server)}" for server, name in servers.items())]
    for one in built:
        lines += ["", "", *_function(one, servers[one.operation.server])]
    return "\n".join(lines) + "\n"


def _servers(built: Iterable[Built]) -> list[str]:
    return list(dict.fromkeys(one.operation.server for one in built))


def _of_calling(built: Iterable[Built]) -> set[str]:
    names = {"TIME_LIMIT", "ApiConfig", "Operation"}
    for one in built:
        names |= {auth.code.head for auth in one.operation.auth}
        names |= {"Parameter"} if one.operation.parameters else set()
        names |= {"Body"} if one.operation.body else set()
    return names


def _function(one: Built, server: str) -> list[str]:
    operation = one.operation
    constant = one.function.upper()
    gives = one.output.name if one.output else "None"
    arguments: list[tuple[str, Value]] = [
        ("", quoted(one.tde_name)),
        ("description", quoted(one.summary)),
        ("config", "ApiConfig"),
        ("time_limit", "TIME_LIMIT"),
    ]
    if operation.secrets:
        arguments.append(("secrets", listed_values(quoted(name) for name in operation.secrets)))
    call = f"await {constant}.call(given, context, {gives})" if one.output else f"await {constant}.send(given, context)"
    parameters: list[tuple[str, Value]] = [
        ("", f"given: {one.input.name}"),
        ("", "context: TaskContext[ApiConfig]"),
    ]
    return [
        *layout(f"{constant} = ", _constant(one, server)),
        "",
        "",
        *layout("@", Call("tde", arguments)),
        *layout("async def ", Call(one.function, parameters), f" -> {gives}:"),
        *docstring(*_told(one), indent=4),
        f"    return {call}" if one.output else f"    {call}",
    ]


def _told(one: Built) -> list[str]:
    node = one.operation.found.node
    summary = one.summary if not one.summary[-1].isalnum() else f"{one.summary}."
    told = [
        summary if one.summary != one.operation.found.where else "",
        node.text("description"),
        one.operation.found.where,
    ]
    if node.flag("deprecated"):
        told.append("The API calls this operation deprecated.")
    return list(dict.fromkeys(text for text in told if text))


def _constant(one: Built, server: str) -> Call:
    operation = one.operation
    arguments: list[tuple[str, Value]] = [
        ("method", quoted(operation.found.method)),
        ("server", server),
        ("path", quoted(operation.found.path)),
    ]
    if operation.parameters:
        arguments.append(("parameters", listed_values(_parameter(one) for one in operation.parameters)))
    if operation.body:
        body = [("", quoted(operation.body.media_type))]
        if operation.body.variable != "body":
            body.append(("variable", quoted(operation.body.variable)))
        arguments.append(("body", Call("Body", body)))
    if operation.auth:
        arguments.append(("auth", listed_values(auth.code for auth in operation.auth)))
    if operation.result.accept:
        arguments.append(("accept", quoted(operation.result.accept)))
    return Call("Operation", arguments)


def _parameter(parameter: Parameter) -> Call:
    arguments: list[tuple[str, Value]] = [("", quoted(parameter.place)), ("", quoted(parameter.name))]
    if parameter.variable != parameter.name:
        arguments.append(("variable", quoted(parameter.variable)))
    if parameter.style != "simple":
        arguments.append(("style", quoted(parameter.style)))
    if parameter.explode:
        arguments.append(("explode", "True"))
    if parameter.allow_reserved:
        arguments.append(("allow_reserved", "True"))
    return Call("Parameter", arguments)
