"""The RoutingMemory port on the state database."""

import hashlib
import logging
import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, select

from procos.adapters.state.database import Database
from procos.adapters.state.json_text import checked_key, checked_moment, from_json, to_json
from procos.adapters.state.tables import routing_decision, routing_example
from procos.adapters.state.transactions import PATIENCE, Transactions, checked_engine_id
from procos.adapters.state.upsert import insert_or
from procos.errors import StoreError
from procos.model.routing import KeptDecision, RoutingDecision, RoutingExample

LONGEST_HASH: Final = 200
_MOST_TRIED: Final = 10
"""Decisions with one hash that are looked at where the newest cannot be read."""
_log = logging.getLogger(__name__)


class SqlRoutingMemory:
    """What routers remember.

    The trace (`decisions`, `prune`) is that of one engine, whose ids and keys mean something only there. What is looked
    up to route by (`find`, `examples`) is that of all engines with this database: the same content hash means the same
    answer everywhere, and so does what a person said.
    """

    def __init__(self, database: Database, *, engine_id: str, patience: timedelta = PATIENCE) -> None:
        self._engine_id = checked_engine_id(engine_id, "the routing memory")
        self._transactions = Transactions(database, name="the routing memory", patience=patience)
        # The very row is there already where its commit went through and only the answer was lost.
        self._add = insert_or(database.engine, routing_decision).on_conflict_do_nothing()
        example = insert_or(database.engine, routing_example)
        replaced = {name: example.excluded[name] for name in ("tde", "chosen_by", "chosen_at")}
        self._replace = example.on_conflict_do_update(index_elements=["text_hash"], set_=replaced)

    async def keep(self, decision: KeptDecision) -> None:
        """Adds a decision to the trace."""
        row = self._row(decision)
        await self._transactions.write("keep a routing decision", lambda it: it.execute(self._add, row))

    async def find(self, content_hash: str) -> RoutingDecision | None:
        """The newest decision with that hash that names a TDE and can be read, on any engine; None without one."""
        table = routing_decision.c
        wanted = (
            select(table.correlation_id, table.job_key, table.decision)
            .where(table.content_hash == _checked_hash(content_hash), table.tde.is_not(None))
            .order_by(table.decided_at.desc(), table.id.desc())
            .limit(_MOST_TRIED)
        )
        rows = await self._transactions.read(
            "look up a routing decision", lambda it: it.execute(wanted).mappings().all()
        )
        return next((decision for row in rows if (decision := _decision({**row}))), None)

    async def decisions(self, correlation_id: str) -> Sequence[KeptDecision]:
        """All decisions of this engine under one correlation id that can be read, oldest first."""
        table = routing_decision.c
        wanted = (
            select(routing_decision)
            .where(table.correlation_hash == _sha256(correlation_id), table.engine_id == self._engine_id)
            .order_by(table.decided_at, table.id)
        )
        rows = await self._transactions.read("read routing decisions", lambda it: it.execute(wanted).mappings().all())
        return [
            KeptDecision.model_validate({**row, "decision": decision})
            for row in rows
            if (decision := _decision({**row}))
        ]

    async def add_example(self, example: RoutingExample) -> None:
        """Keeps an example; the same text again replaces what was chosen before."""
        checked_moment(example.chosen_at, "routing example")
        row = example.model_dump() | {"text_hash": _sha256(example.text)}
        await self._transactions.write("keep a routing example", lambda it: it.execute(self._replace, row))

    async def examples(self) -> Sequence[RoutingExample]:
        """All examples of all engines, oldest first."""
        wanted = select(routing_example).order_by(routing_example.c.chosen_at, routing_example.c.text_hash)
        rows = await self._transactions.read("read routing examples", lambda it: it.execute(wanted).mappings().all())
        return [RoutingExample.model_validate(dict(row)) for row in rows]

    async def prune(self, older_than: timedelta) -> int:
        """Removes decisions of this engine (never examples) that old, and says how many."""
        try:
            until = datetime.now(UTC) - older_than
        except OverflowError:
            return 0
        table = routing_decision.c
        old = delete(routing_decision).where(table.engine_id == self._engine_id, table.decided_at <= until)
        return await self._transactions.write("remove old routing decisions", lambda it: it.execute(old).rowcount)

    async def close(self) -> None:
        """Ends the thread; the database stays open for others."""
        await self._transactions.close()

    def _row(self, kept: KeptDecision) -> Mapping[str, Any]:
        what = f"the routing decision for job {kept.job_key}"
        return {
            "id": f"{time.time_ns():016x}{secrets.token_hex(8)}",
            "engine_id": self._engine_id,
            "correlation_id": kept.correlation_id,
            "correlation_hash": _sha256(kept.correlation_id),
            "job_key": checked_key(kept.job_key, "job"),
            "content_hash": _checked_hash(kept.content_hash),
            "tde": kept.decision.tde,
            "decision": to_json(kept.decision, what),
            "decided_at": checked_moment(kept.decided_at, what),
        }


def _decision(row: Mapping[str, Any]) -> RoutingDecision | None:
    """The decision in a row; one that cannot be read counts as not there: the task is routed anew."""
    try:
        return from_json(RoutingDecision, row["decision"])
    except ValueError as error:
        _log.warning(
            "job %s (correlationId %s): the routing decision that is kept of it cannot be read (%s), perhaps a newer "
            "ProcOS has written it; it counts as not there",
            row["job_key"], row["correlation_id"], error,
        )  # fmt: skip
        return None


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _checked_hash(content_hash: str) -> str:
    if not content_hash.isascii() or not content_hash.isprintable() or len(content_hash) > LONGEST_HASH:
        raise StoreError(f"{content_hash[:50]!r} is no content hash: at most {LONGEST_HASH} ASCII characters make one")
    return content_hash
