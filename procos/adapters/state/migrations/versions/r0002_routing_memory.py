"""Process definitions, routing decisions and routing examples."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "process_definition",
        sa.Column("engine_id", sa.Text),
        sa.Column("key", sa.BigInteger, autoincrement=False, comment="the engine's"),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("resource_name", sa.Text, nullable=False),
        sa.Column("xml", sa.LargeBinary, nullable=False, comment="as it was deployed"),
        sa.Column("elements", sa.Text, nullable=False, comment="JSON: the elements that make jobs"),
        sa.Column("deployed_by", sa.Text, nullable=False),
        sa.Column("deployed_at", sa.DateTime(timezone=True), nullable=False, comment="UTC"),
        sa.PrimaryKeyConstraint("engine_id", "key", name="pk_process_definition"),
        comment="The process definitions that were deployed through ProcOS",
    )
    op.create_table(
        "routing_decision",
        sa.Column("id", sa.Text, comment="grows with time"),
        sa.Column("engine_id", sa.Text, nullable=False),
        sa.Column("correlation_id", sa.Text, nullable=False),
        sa.Column("correlation_hash", sa.Text, nullable=False, comment="SHA-256 of it: an index takes no id of 3 kB"),
        sa.Column("job_key", sa.BigInteger, nullable=False),
        sa.Column("content_hash", sa.Text, nullable=False, comment="of everything that the decision depends on"),
        sa.Column("tde", sa.Text, comment="NULL where the router abstained"),
        sa.Column("decision", sa.Text, nullable=False, comment="JSON"),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False, comment="UTC"),
        sa.PrimaryKeyConstraint("id", name="pk_routing_decision"),
        comment="Which TDE each task was for, and why",
    )
    for column in ("correlation_hash", "content_hash"):
        op.create_index(f"ix_routing_decision_{column}", "routing_decision", [column])
    op.create_table(
        "routing_example",
        sa.Column("text_hash", sa.Text, comment="SHA-256 of the text: an index takes no text of 3 kB"),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("tde", sa.Text, nullable=False),
        sa.Column("chosen_by", sa.Text, nullable=False),
        sa.Column("chosen_at", sa.DateTime(timezone=True), nullable=False, comment="UTC"),
        sa.PrimaryKeyConstraint("text_hash", name="pk_routing_example"),
        comment="What people answered when the router asked them",
    )
