"""How Alembic reaches the ledger: the URL comes from whoever runs the migration, never from a file."""

from alembic import context
from sqlalchemy import NullPool, create_engine

from app.stores.schema import metadata

engine = create_engine(context.config.attributes["url"], hide_parameters=True, poolclass=NullPool)
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
