"""YAML as JSON would have it: no dates, no `yes` for true, no number for 12:30, no key twice."""

import re
from typing import Any

from procos.errors import MissingExtraError, UsageError

_RESOLVED = {
    "tag:yaml.org,2002:bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "tag:yaml.org,2002:null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "tag:yaml.org,2002:int": (r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    "tag:yaml.org,2002:float": (r"[-+]?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?", "-+0123456789"),
    "tag:yaml.org,2002:merge": (r"<<", "<"),
}


def read_yaml(source: str, text: str) -> Any:  # noqa: ANN401 - any JSON value
    """What the YAML `text` holds, with text for keys; `source` names it in errors.

    Raises:
        MissingExtraError: there is no YAML parser.
        UsageError: it is not YAML, or has a key twice; names the line.
    """
    try:
        import yaml  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingExtraError(f"Reading the YAML of {source}", "openapi") from None
    try:
        return _as_json(yaml.load(text, Loader=_loader(yaml)), {}, source)  # noqa: S506 - a safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise UsageError(f"{source}{where}: not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise UsageError(f"{source}: not YAML: {error}") from None
    except RecursionError:
        raise UsageError(f"{source} is nested too deeply") from None


def _loader(yaml: Any) -> Any:  # noqa: ANN401 - the library is there at run time only
    fast = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    def construct_mapping(self: Any, node: Any, deep: bool = False) -> Any:  # noqa: ANN401, FBT001, FBT002 - PyYAML's
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen and name != "<<":
                raise yaml.constructor.ConstructorError(None, None, f"the key '{name}' is there twice", key.start_mark)
            seen.add(name)
        return fast.construct_mapping(self, node, deep)

    loader: Any = type("Loader", (fast,), {"yaml_implicit_resolvers": {}, "construct_mapping": construct_mapping})
    for tag, (pattern, first) in _RESOLVED.items():
        loader.add_implicit_resolver(tag, re.compile(f"^(?:{pattern})$"), list(first))
    return loader


def _as_json(value: Any, done: dict[int, Any], source: str) -> Any:  # noqa: ANN401 - any JSON value
    """`value` with text for keys; what an anchor shares stays shared, so that a few lines cannot grow without end."""
    if not isinstance(value, dict | list):
        return value
    if id(value) in done:
        if done[id(value)] is None:
            raise UsageError(f"{source}: an alias leads round in a circle")
        return done[id(value)]
    done[id(value)] = None
    if isinstance(value, dict):
        made: Any = {_key(key): _as_json(inner, done, source) for key, inner in value.items()}
    else:
        made = [_as_json(inner, done, source) for inner in value]
    done[id(value)] = made
    return made


def _key(key: object) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return "null" if key is None else str(key)
