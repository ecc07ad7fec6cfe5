"""How Alembic reaches the ledger: the URL comes from whoever runs the migration, never from a file."""

from typing import Any

from alembic import context
from sqlalchemy import Connection, NullPool, create_engine, event, make_url

from app.stores.ledger import postgresql
from app.stores.ledger.schema import metadata

url = make_url(context.config.attributes["url"])
# Whoever waits for a lock holds up all who come after, who serve customers: the migration gives up first.
LIMITS = {"lock_timeout": 500}

engine = create_engine(url, hide_parameters=True, poolclass=NullPool)
if url.get_backend_name() == "postgresql":

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _record: Any, given: Any, options: dict[str, Any]) -> Any:
        """What runs outside a transaction, an index that is made concurrently, has the session's limit."""
        import psycopg  # an extra, which SQLite does without

        connection = psycopg.connect(*given, **options)
        postgresql.settle(connection, LIMITS)
        connection.autocommit = False
        return connection

    @event.listens_for(engine, "begin")
    def limit(connection: Connection) -> None:
        """A pool may give each transaction another session."""
        for name, milliseconds in LIMITS.items():
            connection.exec_driver_sql(f"SET LOCAL {name} = {milliseconds}")


with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
