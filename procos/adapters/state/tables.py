"""Every table of the state database, as the newest migration leaves it."""

from sqlalchemy import BigInteger, Column, DateTime, Integer, MetaData, Table, Text

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
