"""Every table of the state database, as the newest migration leaves it."""

from sqlalchemy import BigInteger, Column, DateTime, Index, Integer, LargeBinary, MetaData, Table, Text

from procos.adapters.state.column_types import AnyText, Moment

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

outcome_ledger = Table(
    "outcome_ledger",
    metadata,
    Column("engine_id", Text, primary_key=True),
    Column("job_key", BigInteger, primary_key=True, autoincrement=False),
    Column("failures", Integer, nullable=False),
    Column("progress", Text, comment="JSON; NULL where nothing was kept"),
    Column("outcome_kind", Text, comment="completed, failed or error thrown; NULL while none waits for delivery"),
    Column("outcome", Text, comment="JSON"),
    Column("written_at", DateTime(timezone=True), nullable=False, comment="UTC"),
    comment="What is known of a job besides the engine's own state",
)

process_definition = Table(
    "process_definition",
    metadata,
    Column("engine_id", Text, primary_key=True),
    Column("key", BigInteger, primary_key=True, autoincrement=False, comment="the engine's"),
    Column("id", AnyText, nullable=False),
    Column("version", Integer, nullable=False),
    Column("name", AnyText, nullable=False),
    Column("resource_name", AnyText, nullable=False),
    Column("xml", LargeBinary, nullable=False, comment="as it was deployed"),
    Column("elements", Text, nullable=False, comment="JSON: the elements that make jobs"),
    Column("deployed_by", AnyText, nullable=False),
    Column("deployed_at", Moment, nullable=False, comment="UTC"),
    comment="The process definitions that were deployed through ProcOS",
)

routing_decision = Table(
    "routing_decision",
    metadata,
    Column("id", Text, primary_key=True, comment="grows with time"),
    Column("engine_id", Text, nullable=False),
    Column("correlation_id", AnyText, nullable=False),
    Column("correlation_hash", Text, nullable=False, comment="SHA-256 of it: an index takes no id of 3 kB"),
    Column("job_key", BigInteger, nullable=False),
    Column("content_hash", Text, nullable=False, comment="of everything that the decision depends on"),
    Column("tde", AnyText, comment="NULL where the router abstained"),
    Column("decision", Text, nullable=False, comment="JSON"),
    Column("decided_at", Moment, nullable=False, comment="UTC"),
    Index("ix_routing_decision_correlation_hash", "correlation_hash"),
    Index("ix_routing_decision_content_hash", "content_hash"),
    comment="Which TDE each task was for, and why",
)

routing_example = Table(
    "routing_example",
    metadata,
    Column("text_hash", Text, primary_key=True, comment="SHA-256 of the text: an index takes no text of 3 kB"),
    Column("text", AnyText, nullable=False),
    Column("tde", AnyText, nullable=False),
    Column("chosen_by", AnyText, nullable=False),
    Column("chosen_at", Moment, nullable=False, comment="UTC"),
    comment="What people answered when the router asked them",
)

registered_worker = Table(
    "registered_worker",
    metadata,
    Column("engine_id", Text, primary_key=True),
    Column("worker", Text, primary_key=True, comment="unique for each run of a process"),
    Column("job_types", Text, nullable=False, comment="JSON: a list of texts"),
    Column("announced_at", Moment, nullable=False, comment="UTC, by the worker's clock"),
    comment="Which workers live",
)
