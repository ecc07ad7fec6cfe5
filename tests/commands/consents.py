"""What tests of commands have in common."""

from collections.abc import Callable

from click.testing import Result
from flask import Flask

from app.commands.connections import connections
from app.commands.keys import keys
from app.commands.ledger import ledger as ledger_commands
from app.commands.sessions import sessions
from tests.support.applications import services_of

Operate = Callable[..., Result]
GROUPS = {"connections": connections, "ledger": ledger_commands, "sessions": sessions, "keys": keys}


def consent_of(app: Flask) -> str:
    (connection,) = services_of(app).connections.of(client_id="dc-budget")
    return connection.grant.consent_id
