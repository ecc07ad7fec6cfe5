"""Alembic's connection to the ledger. The caller of the migration passes the URL; no file contains it."""

from typing import Any

from alembic import context
from sqlalchemy import Connection, NullPool, create_engine, event, make_url

from app.stores.ledger import postgresql
from app.stores.ledger.schema import metadata

url = make_url(context.config.attributes["url"])
# Milliseconds, a judgement. While a migration waits for a lock, all later statements of customers wait behind
# it: the migration gives up first.
LIMITS = {"lock_timeout": 500}

engine = create_engine(url, hide_parameters=True, poolclass=NullPool)
if url.get_backend_name() == "postgresql":

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _record: Any, given: Any, options: dict[str, Any]) -> Any:
        """Sets the limits for the session: a concurrent index is made outside a transaction."""
        import psycopg  # an extra, which SQLite does not need

        connection = psycopg.connect(*given, **options)
        postgresql.settle(connection, LIMITS)
        connection.autocommit = False
        return connection

    @event.listens_for(engine, "begin")
    def limit(connection: Connection) -> None:
        """Sets the limits for the transaction, since a connection pooler may give it another session."""
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
