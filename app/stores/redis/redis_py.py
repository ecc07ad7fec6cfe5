"""Uses parts of redis-py that are not documented, above all to send each command only once.

These are `pack_commands`, `send_packed_command` and `read_response` of its connections, `connection_kwargs`
and `get_connection_count` of their pool, `response_callbacks`, `key_slot` and `parse_url`. pyproject.toml
bounds the version of redis-py for them, and tests/test_private_names.py names them.
"""

from collections.abc import Sequence
from typing import Any

import redis
from redis import connection as redis_connection
from redis.crc import key_slot

Command = Sequence[str | int]

# After one of these errors a connection is closed: a late reply could be taken for that to the next command.
# The next connection goes to the server that the address means by then, which changes with a failover.
END_THE_CONNECTION = (redis.ConnectionError, redis.TimeoutError, OSError, redis.ReadOnlyError)


class SingleAttemptRedis(redis.Redis):
    """Sends each command once, without the retries and the metrics of redis-py: a GET takes 18 µs, not 53."""

    def ask(self, *commands: Command) -> list[Any]:
        """The replies to the commands, in one round trip. Raises the first error among them."""
        connection: Any = self.connection_pool.get_connection()
        replies: list[Any] = []
        try:
            connection.send_packed_command(connection.pack_commands(commands))
            replies += [_next_reply(connection) for _ in commands]
        finally:
            if not replies or any(isinstance(reply, END_THE_CONNECTION) for reply in replies):
                connection.disconnect()
            self.connection_pool.release(connection)
        for reply in replies:
            if isinstance(reply, redis.ResponseError):
                raise reply
        return replies

    def execute_command(self, *command: Any, **options: Any) -> Any:
        """What redis-py's own methods call: `ask`, and its conversion of the reply."""
        (reply,) = self.ask(command)
        options.pop("keys", None)
        understand: Any = self.response_callbacks.get(command[0])  # type: ignore[no-untyped-call]
        return reply if understand is None else understand(reply, **options)


def _next_reply(connection: Any) -> Any:
    """The next reply, which may be an error; the replies to later commands follow it."""
    try:
        return connection.read_response()
    except redis.ResponseError as error:
        return error


def require_known_options(client: redis.Redis) -> None:
    """Raises TypeError or ValueError for an option that no connection has. It connects to nothing."""
    pool = client.connection_pool
    pool.connection_class(**pool.connection_kwargs)


def count_in_use(client: redis.Redis) -> int:
    """How many connections of the client's pool are in use now."""
    _, (in_use, _) = client.connection_pool.get_connection_count()
    return in_use


def slot_of(key: str) -> int:
    """The slot of a Redis Cluster in which `key` is, from 0 to 16,383."""
    return int(key_slot(key.encode()))


def options_of(url: str) -> dict[str, Any]:
    """The options of a connection that an address of one server stands for. Raises ValueError."""
    return dict(redis_connection.parse_url(url))  # type: ignore[no-untyped-call]
