"""Where Redis is: what `ACCORD_REDIS_URL` may say.

    redis://user:password@host:6379/0            one server; rediss:// with TLS
    unix:///run/valkey/valkey.sock?db=0          one server on this machine
    redis+sentinel://host:26379,host:26379/name  the primary that Sentinels name; /name/2 is its database 2
    redis+cluster://host:6379,host:6379          a Cluster, found through any of its nodes

Sentinel and Cluster with TLS begin with rediss+. What follows a `?` are redis-py's own options, such as
`ssl_ca_certs` and `max_connections`, but for those that Accord sets itself; `sentinel_username` and
`sentinel_password` are for the Sentinels.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import unquote, urlsplit

from redis import connection

Place = tuple[str, int]

_DEFAULT_PORT = {"sentinel": 26379, "cluster": 6379}
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::([0-9]{1,5}))?", re.ASCII)
_FORMS = "redis://, rediss://, unix://, redis[s]+sentinel:// or redis[s]+cluster://"


class Kind(StrEnum):
    SINGLE = "single"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """`options` are for the connections to the servers, `sentinel_login` is for those to the Sentinels.

    A single server has no `places`: where it is, is one of its options.
    """

    kind: Kind
    options: dict[str, Any]
    places: tuple[Place, ...] = ()
    service: str = ""
    has_tls: bool = False
    sentinel_login: dict[str, str] = field(default_factory=dict)


def parse_address(url: str) -> RedisAddress:
    """Raises ValueError with the reason, which quotes nothing of the URL: it may hold a password."""
    scheme, _, rest = url.partition("://")
    protocol, _, kind = scheme.partition("+")
    if scheme in ("redis", "rediss", "unix"):
        return RedisAddress(Kind.SINGLE, _parse_url(url))
    if protocol not in ("redis", "rediss") or kind not in (Kind.SENTINEL, Kind.CLUSTER):
        raise ValueError(f"must begin with {_FORMS}")
    parts = urlsplit(f"//{rest}")
    login, at, hosts = parts.netloc.rpartition("@")
    service, _, database = parts.path.strip("/").partition("/")
    if kind == Kind.SENTINEL and not service:
        raise ValueError("must name the service after the Sentinels: redis+sentinel://host:26379/name")
    if kind == Kind.CLUSTER and service:
        raise ValueError("must name no database: a Cluster has only one")
    # One host stands for all, so that redis-py reads the rest in its own way.
    options = _parse_url(f"{protocol}://{login}{at}host/{database}?{parts.query}")
    del options["host"]
    names = {"sentinel_username": "username", "sentinel_password": "password"}
    return RedisAddress(
        Kind(kind),
        options,
        tuple(_place(host, _DEFAULT_PORT[kind]) for host in hosts.split(",")),
        service=unquote(service),
        has_tls=protocol == "rediss",
        sentinel_login={names[name]: options.pop(name) for name in names if name in options},
    )


def _parse_url(url: str) -> dict[str, Any]:
    return dict(connection.parse_url(url))  # type: ignore[no-untyped-call]


def _place(text: str, default_port: int) -> Place:
    match = _HOST.fullmatch(text)
    if match is None:
        raise ValueError("must list its hosts like host:26379,host:26379")
    host, port = match.groups()
    return host.strip("[]"), int(port or default_port)
