"""What Alembic runs for `upgrade`: the steps, on the connection that the caller holds."""

from alembic import context

from procos.adapters.state.migrations import VERSION_TABLE
from procos.adapters.state.tables import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, version_table=VERSION_TABLE
)
context.run_migrations()
