"""The public keys of a recipient in the registration, and what its profile asks of an entry (FAPI 2.0)."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator

from app.domain.registry import Profile, Status
from app.public_keys import PublicJwk, import_public_key
from app.registration.locations import Fault, Location

_WAYS_TO_AUTHENTICATE = ("secret_sha256", "jwks", "jwks_uri")


def _client_key(jwk: Any) -> PublicJwk:
    """A public key that is for signatures, if it says what it is for (RFC 7517 4.2, 4.4)."""
    if not isinstance(jwk, dict):
        raise ValueError("must be a table with the members of a JWK")  # noqa: TRY004  # pydantic takes this one
    key = import_public_key(jwk)
    if "kid" in jwk and key.kid is None:
        raise ValueError("has a kid that is no text")
    if jwk.get("use", "sig") != "sig":
        raise ValueError("has a use other than sig")
    if "alg" in jwk and not (isinstance(jwk["alg"], str) and key.fits(jwk["alg"])):
        raise ValueError("has an alg other than ES256, PS256 and Ed25519, or another key type's")
    return key


def refuse_repeated_kid(keys: list[PublicJwk]) -> list[PublicJwk]:
    """Each of several keys needs its own kid, since a signature names its key (Security Profile 5.4.3)."""
    if len({key.kid for key in keys}) != len(keys):
        raise ValueError("has two keys with the same kid, or without one")
    return keys


ClientKey = Annotated[Any, AfterValidator(_client_key)]


def client_key_faults(location: Location, recipient: dict[str, Any]) -> Iterator[Fault]:
    """Faults in how a recipient authenticates (one way, and no more), and in what its profile rules out."""
    ways = [key for key in _WAYS_TO_AUTHENTICATE if key in recipient]
    if len(ways) != 1:
        yield (
            (*location, ways[-1] if ways else "client_id"),
            "must have one of secret_sha256, jwks and jwks_uri",
        )
    if "previous_secret" in recipient and "secret_sha256" not in recipient:
        yield (*location, "previous_secret"), "belongs to secret_sha256"
    is_fapi = recipient.get("profile") == Profile.FAPI2
    if is_fapi and "secret_sha256" in recipient:
        yield (*location, "secret_sha256"), "is no way to authenticate with this profile, which needs keys"
    default = recipient.get("default_provider")
    if default is not None and not is_fapi:
        yield (*location, "default_provider"), f'belongs to profile = "{Profile.FAPI2}"'
    statuses = recipient.get("providers")
    if default is not None and not (isinstance(statuses, dict) and statuses.get(default) == Status.ACTIVE):
        yield (*location, "default_provider"), "is a provider with which this recipient is not ACTIVE"
