"""`flask sessions end`: signs a customer out of every browser."""

from contextlib import closing
from typing import Any

import click

from app.commands.journal import record_operation
from app.commands.open_stores import (
    TIMEOUT,
    address_option,
    one_line_faults,
    parse_customer,
)
from app.stores.redis import client as redis
from app.stores.redis.sessions import forget_all


@click.group()
def sessions() -> None:
    """Customers who are signed in."""


@sessions.command(name="end")
@address_option("--redis-url", "ACCORD_REDIS_URL")
@click.option("--customer", required=True, metavar="PROVIDER/SUBJECT")
def end_sessions(redis_url: str, customer: str) -> None:
    """Signs a customer out of every browser."""
    provider_id, subject = parse_customer(customer)
    with one_line_faults(), closing(redis.connect(redis_url, timeout=TIMEOUT)) as client:
        count = forget_all(client, lambda content: _is_of(content, provider_id, subject))
    record_operation("sessions_ended", provider_id=provider_id, sessions=count)
    click.echo(f"{customer}: {count} sessions ended")


def _is_of(content: dict[str, Any], provider_id: str, subject: str) -> bool:
    customers = content.get("customers")
    kept = customers.get(provider_id) if isinstance(customers, dict) else None
    return isinstance(kept, dict) and kept.get("subject") == subject
