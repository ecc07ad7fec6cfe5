"""The address of Redis: what `ACCORD_REDIS_URL` may say.

    redis://user:password@host:6379/0            one server; rediss:// with TLS
    unix:///run/valkey/valkey.sock?db=0          one server on this machine
    redis+sentinel://host:26379,host:26379/name  the primary that Sentinels name; /name/2 is its database 2
    redis+cluster://host:6379,host:6379          a Cluster, found through any of its nodes

Sentinel and Cluster with TLS begin with rediss+. After a `?` come options of redis-py, such as `ssl_ca_certs`
and `max_connections`, except those that Accord sets itself; `sentinel_username` and `sentinel_password` are
the login at the Sentinels.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import unquote, urlsplit

from app.stores.redis.redis_py import options_of

Place = tuple[str, int]

_DEFAULT_PORT = {"sentinel": 26379, "cluster": 6379}  # as the programs themselves have them
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::([0-9]{1,5}))?", re.ASCII)
_FORMS = "redis://, rediss://, unix://, redis[s]+sentinel:// or redis[s]+cluster://"


class Kind(StrEnum):
    SINGLE = "single"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """An address in parts. `options` are for the servers, `sentinel_login` for the Sentinels.

    `places` are the hosts and ports of the Sentinels or of the Cluster; that of a single server is among its
    options. `service` is the name under which the Sentinels know the primary.
    """

    kind: Kind
    options: dict[str, Any]
    places: tuple[Place, ...] = ()
    service: str = ""
    has_tls: bool = False
    sentinel_login: dict[str, str] = field(default_factory=dict)


def parse_address(url: str) -> RedisAddress:
    """The parts of `url`. Raises ValueError with a reason that quotes nothing of it: it may hold secrets."""
    scheme, _, rest = url.partition("://")
    protocol, _, kind = scheme.partition("+")
    if scheme in ("redis", "rediss", "unix"):
        return RedisAddress(Kind.SINGLE, options_of(url))
    if protocol not in ("redis", "rediss") or kind not in (Kind.SENTINEL, Kind.CLUSTER):
        raise ValueError(f"must begin with {_FORMS}")
    parts = urlsplit(f"//{rest}")
    login, at, hosts = parts.netloc.rpartition("@")
    service, _, database = parts.path.strip("/").partition("/")
    if kind == Kind.SENTINEL and not service:
        raise ValueError("must name the service after the Sentinels: redis+sentinel://host:26379/name")
    if kind == Kind.CLUSTER and service:
        raise ValueError("must name no database: a Cluster has only one")
    # redis-py reads everything but the list of hosts, for which one host stands here.
    options = options_of(f"{protocol}://{login}{at}host/{database}?{parts.query}")
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


def _place(text: str, default_port: int) -> Place:
    match = _HOST.fullmatch(text)
    if match is None:
        raise ValueError("must list its hosts like host:26379,host:26379")
    host, port = match.groups()
    return host.strip("[]"), int(port or default_port)
