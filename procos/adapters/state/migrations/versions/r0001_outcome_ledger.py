"""The outcome ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "outcome_ledger",
        sa.Column("engine_id", sa.Text),
        sa.Column("job_key", sa.BigInteger, autoincrement=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("progress", sa.Text, comment="JSON; NULL where nothing was kept"),
        sa.Column(
            "outcome_kind", sa.Text, comment="completed, failed or error thrown; NULL while none waits for delivery"
        ),
        sa.Column("outcome", sa.Text, comment="JSON"),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False, comment="UTC"),
        sa.PrimaryKeyConstraint("engine_id", "job_key", name="pk_outcome_ledger"),
        comment="What is known of a job besides the engine's own state",
    )
