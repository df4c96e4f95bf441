"""Registered workers."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "registered_worker",
        sa.Column("engine_id", sa.Text),
        sa.Column("worker", sa.Text, comment="unique for each run of a process"),
        sa.Column("job_types", sa.Text, nullable=False, comment="JSON: a list of texts"),
        sa.Column("announced_at", sa.DateTime(timezone=True), nullable=False, comment="UTC, by the worker's clock"),
        sa.PrimaryKeyConstraint("engine_id", "worker", name="pk_registered_worker"),
        comment="Which workers live",
    )
