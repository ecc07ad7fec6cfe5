"""How Alembic reaches the ledger: the URL comes from whoever runs the migration, never from a file."""

from alembic import context
from sqlalchemy import NullPool, create_engine, make_url

from app.stores.schema import metadata

url = make_url(context.config.attributes["url"])
# Whoever waits for a lock holds up all who come after, who serve customers: the migration gives up first.
impatient = {"options": "-c lock_timeout=500"} if url.get_backend_name() == "postgresql" else {}
engine = create_engine(url, hide_parameters=True, poolclass=NullPool, connect_args=impatient)
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
