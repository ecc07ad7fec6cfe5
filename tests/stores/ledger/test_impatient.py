"""Connections to PostgreSQL that end by themselves, when the server says nothing any more."""

import socket
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from app.stores.ledger.impatient import impatient
from tests.support.postgres import PostgresServer
from tests.support.proxy import Proxy, to_socket

SECONDS = 0.3


@pytest.fixture
def way(postgres: PostgresServer) -> Iterator[Proxy]:
    with Proxy(to_socket(f"{parts(postgres)['host']}/.s.PGSQL.{parts(postgres).get('port', 5432)}")) as proxy:
        yield proxy


def parts(postgres: PostgresServer) -> dict[str, Any]:
    """The parameters of a connection to a new database."""
    url = postgres.new_database().replace("postgresql+psycopg", "postgresql")
    return psycopg.conninfo.conninfo_to_dict(url)


def connect(postgres: PostgresServer, way: Proxy) -> Any:
    return impatient(SECONDS)(**{**parts(postgres), "host": "127.0.0.1", "port": way.port})


def test_a_statement_in_time_is_answered(postgres: PostgresServer, way: Proxy) -> None:
    with connect(postgres, way) as connection:
        assert connection.execute("SELECT 5").fetchone() == (5,)


def test_a_statement_without_an_answer_ends_the_connection(postgres: PostgresServer, way: Proxy) -> None:
    with connect(postgres, way) as connection:
        way.freeze()
        with pytest.raises(TimeoutError):
            connection.execute("SELECT 5")
        assert connection.closed
    way.thaw()


def test_a_server_that_takes_connections_and_says_nothing_is_given_up() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(psycopg.errors.ConnectionTimeout),
    ):
        impatient(SECONDS)(host="127.0.0.1", port=silent.getsockname()[1], user="x", dbname="x")
