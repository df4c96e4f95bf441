"""The DefinitionStore port on the state database."""

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, select

from procos.adapters.state.database import Database
from procos.adapters.state.json_text import checked_key, checked_moment, to_json
from procos.adapters.state.tables import process_definition
from procos.adapters.state.transactions import PATIENCE, Transactions, checked_engine_id
from procos.adapters.state.upsert import insert_or
from procos.errors import StoreError
from procos.model.definition import ProcessDefinition, TaskElement

_MOST_AT_ONCE: Final = 500
"""Keys in one statement; SQLite takes some thousands of parameters."""
_VERSIONS: Final = range(2**31)
_ELEMENTS: Final = TypeAdapter(tuple[TaskElement, ...])
_WHAT: Final = "process definition"
_log = logging.getLogger(__name__)


class SqlDefinitionStore:
    """The definitions of one engine; `engine_id` must differ between engines whose keys may be the same.

    The job types of definitions that were read once are remembered: what is kept of a key never changes.
    """

    def __init__(self, database: Database, *, engine_id: str, patience: timedelta = PATIENCE) -> None:
        self._engine_id = checked_engine_id(engine_id, "the definition store")
        self._transactions = Transactions(database, name="the definition store", patience=patience)
        self._insert = insert_or(database.engine, process_definition).on_conflict_do_nothing()
        self._types: dict[int, frozenset[str]] = {}

    async def record(self, definitions: Sequence[ProcessDefinition]) -> None:
        """Keeps all of `definitions`, or none; one whose key is known stays as it is."""
        rows = [self._row(definition) for definition in definitions]
        if rows:
            await self._transactions.write(
                "remember process definitions", lambda connection: connection.execute(self._insert, rows)
            )

    async def get(self, key: int) -> ProcessDefinition | None:
        """The definition with that key, None where it was not deployed through ProcOS or cannot be read."""
        table = process_definition
        wanted = select(table).where(table.c.engine_id == self._engine_id, table.c.key == checked_key(key, _WHAT))
        row = await self._transactions.read(
            "read a process definition", lambda connection: connection.execute(wanted).mappings().first()
        )
        return None if row is None else _definition({**row})

    async def job_types(self) -> frozenset[str]:
        """The job types of all tasks of all kept definitions, as far as they are no expressions."""
        types = await self._transactions.read("read the job types of process definitions", self._read_types)
        return frozenset().union(*types)

    async def close(self) -> None:
        """Ends the thread; the database stays open for others."""
        await self._transactions.close()

    def _read_types(self, connection: Connection) -> Sequence[frozenset[str]]:
        table = process_definition
        keys = connection.scalars(select(table.c.key).where(table.c.engine_id == self._engine_id)).all()
        new = [key for key in keys if key not in self._types]
        for start in range(0, len(new), _MOST_AT_ONCE):
            some = new[start : start + _MOST_AT_ONCE]
            wanted = select(table.c.key, table.c.id, table.c.elements).where(
                table.c.engine_id == self._engine_id, table.c.key.in_(some)
            )
            for row in connection.execute(wanted).mappings():
                self._types[row["key"]] = frozenset(it.job_type for it in _elements({**row}) or () if it.job_type)
        return [self._types[key] for key in keys if key in self._types]

    def _row(self, definition: ProcessDefinition) -> Mapping[str, Any]:
        what = f"process definition '{definition.id}'"
        if definition.version not in _VERSIONS:
            raise StoreError(f"{what}: {definition.version} is no version: the engine's are 32-bit integers")
        checked_moment(definition.deployed_at, what)
        return definition.model_dump(exclude={"elements", "xml"}) | {
            "engine_id": self._engine_id,
            "key": checked_key(definition.key, _WHAT),
            "xml": definition.xml,
            "elements": to_json(definition.elements, what),
        }


def _definition(row: Mapping[str, Any]) -> ProcessDefinition | None:
    elements = _elements(row)
    return None if elements is None else ProcessDefinition.model_validate({**row, "elements": elements})


def _elements(row: Mapping[str, Any]) -> tuple[TaskElement, ...] | None:
    """The elements in a row; what cannot be read counts as not there, or it would be in the way for ever."""
    try:
        return _ELEMENTS.validate_python(json.loads(row["elements"]))
    except (ValueError, RecursionError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        _log.warning(
            "what is kept of the process definition '%s' (%s) cannot be read (%s), perhaps a newer ProcOS has written "
            "it; its tasks are routed without name, documentation and lane",
            row["id"], row["key"], reason,
        )  # fmt: skip
        return None
