"""Everything that is in Redis, whatever type a key has."""

from app.stores.redis import client as redis


def texts_in(client: redis.Redis) -> list[str]:
    """Every text that is stored, keys included."""
    found: list[str] = []
    for key in map(str, client.scan_iter("*")):
        found.append(key)
        match client.type(key):
            case "string":
                found.append(str(client.get(key)))
            case "list":
                found += map(str, client.lrange(key, 0, -1))
            case "hash":
                found += (str(text) for field in client.hgetall(key).items() for text in field)
            case other:
                raise AssertionError(f"{key}: say here how a {other!r} is read")
    return found
