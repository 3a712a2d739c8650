"""What Alembic runs: migrations on the connection that api.migrations hands over."""

from alembic import context

from api.migrations import METADATAS

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=list(METADATAS),
    transaction_per_migration=False,
    render_as_batch=True,  # SQLite changes a column by copying its table
)
context.run_migrations()
