"""Faults between entries of the registration, each of which may read well alone."""

from collections.abc import Iterator
from typing import Any

from app.registration.demo_secrets import DEMO_HASHES
from app.registration.places import Fault, Place, entries_in

_PLACES_OF_A_BANK_SECRET = {"client_secret_env", "client_secret_file", "demo_client_secret"}


def contradictions(document: dict[str, Any]) -> Iterator[Fault]:
    """Faults between entries, each of which may read well alone."""
    yield from _repeated(document, ("recipients",), "client_id")
    yield from _repeated(document, ("providers",), "provider_id")
    registered = {str(entry.get("provider_id")) for _, entry in entries_in(document, ("providers",))}
    for place, recipient in entries_in(document, ("recipients",)):
        statuses = recipient.get("providers")
        for provider_id in statuses if isinstance(statuses, dict) else ():
            if provider_id not in registered:
                yield (*place, "providers", provider_id), "is not a registered provider"
    for place, provider in entries_in(document, ("providers",)):
        yield from _repeated(document, (*place, "customers"), "user_name")
        yield from _repeated(document, (*place, "customers"), "subject")
        yield from _sign_in_faults(place, provider)
    yield from _resource_server_contradictions(document)


def _resource_server_contradictions(document: dict[str, Any]) -> Iterator[Fault]:
    """Both authenticate at one endpoint, so that one identifier must not stand for two parties."""
    yield from _repeated(document, ("resource_servers",), "server_id")
    clients = {str(entry.get("client_id")) for _, entry in entries_in(document, ("recipients",))}
    audiences = {str(entry.get("audience")) for _, entry in entries_in(document, ("providers",))}
    for place, server in entries_in(document, ("resource_servers",)):
        if "server_id" in server and str(server["server_id"]) in clients:
            yield (*place, "server_id"), "is the client_id of a recipient"
        if "audience" in server and str(server["audience"]) not in audiences:
            yield (*place, "audience"), "is the audience of no registered provider"


def _sign_in_faults(place: Place, provider: dict[str, Any]) -> Iterator[Fault]:
    """Each way to sign in has its own part of an entry, and only that."""
    is_oidc = provider.get("sign_in") == "oidc"
    oidc = provider.get("oidc")
    if is_oidc and oidc is None:
        yield (*place, "oidc"), 'is missing, which sign_in = "oidc" needs'
    if is_oidc and "customers" in provider:
        yield (*place, "customers"), 'belongs to sign_in = "sandbox"'
    if not is_oidc and oidc is not None:
        yield (*place, "oidc"), 'belongs to sign_in = "oidc"'
    if isinstance(oidc, dict) and len(_PLACES_OF_A_BANK_SECRET & oidc.keys()) != 1:
        yield (*place, "oidc"), "must have either client_secret_env or client_secret_file"


def demo_faults(document: dict[str, Any]) -> Iterator[Fault]:
    """What only development may have."""
    for table in ("recipients", "resource_servers"):
        for place, entry in entries_in(document, (table,)):
            if entry.get("demo"):
                yield (*place, "demo"), "a demo secret does not work in production"
            elif entry.get("secret_sha256") in DEMO_HASHES:
                yield (*place, "secret_sha256"), "a demo secret does not work in production"
            previous = entry.get("previous_secret")
            if isinstance(previous, dict) and previous.get("sha256") in DEMO_HASHES:
                yield (*place, "previous_secret"), "a demo secret does not work in production"
    for place, provider in entries_in(document, ("providers",)):
        if provider.get("sign_in") == "sandbox":
            yield (*place, "sign_in"), "sandbox sign-in does not work in production"
        oidc = provider.get("oidc")
        if isinstance(oidc, dict) and str(oidc.get("issuer")).lower().startswith("http:"):
            yield (*place, "oidc", "issuer"), "http does not work in production"
        if isinstance(oidc, dict) and "demo_client_secret" in oidc:
            yield (*place, "oidc", "demo_client_secret"), "a demo secret does not work in production"


def _repeated(document: dict[str, Any], place: Place, key: str) -> Iterator[Fault]:
    seen: set[Any] = set()
    for entry_place, entry in entries_in(document, place):
        value = str(entry.get(key))
        if key in entry and value in seen:
            yield (*entry_place, key), "is registered twice"
        seen.add(value)
