"""Faults that concern several entries of the registration, such as an identifier that two of them have."""

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from app.public_keys import import_public_key
from app.registration.client_keys import client_key_faults
from app.registration.demo_secrets import DEMO_HASHES, DEMO_KEYS
from app.registration.locations import Fault, Location, entries_in

_KEYS_OF_A_BANK_SECRET = {"client_secret_env", "client_secret_file", "demo_client_secret"}
_ADDRESSES_OF_A_BANK = ("issuer", "address", "token_address")
_LOCALHOST = re.compile(r"https://(?:[^/?#]*\.)?localhost\.?(?:[:/?#]|$)", re.IGNORECASE)


def contradictions(document: dict[str, Any]) -> Iterator[Fault]:
    """All faults between the entries of `document`, the parsed TOML file."""
    yield from _repeated(document, ("recipients",), "client_id")
    yield from _repeated(document, ("providers",), "provider_id")
    registered = {str(entry.get("provider_id")) for _, entry in entries_in(document, ("providers",))}
    for location, recipient in entries_in(document, ("recipients",)):
        statuses = recipient.get("providers")
        for provider_id in statuses if isinstance(statuses, dict) else ():
            if provider_id not in registered:
                yield (*location, "providers", provider_id), "is not a registered provider"
        yield from client_key_faults(location, recipient)
    for location, provider in entries_in(document, ("providers",)):
        yield from _repeated(document, (*location, "customers"), "user_name")
        yield from _repeated(document, (*location, "customers"), "subject")
        for customer_location, _ in entries_in(document, (*location, "customers")):
            yield from _repeated(document, (*customer_location, "accounts"), "account_id")
        yield from _sign_in_faults(location, provider)
        yield from _accounts_faults(location, provider)
        yield from _bank_notices_faults(document, location, provider)
    yield from _resource_server_contradictions(document)


def _resource_server_contradictions(document: dict[str, Any]) -> Iterator[Fault]:
    """Clients and resource servers authenticate at the same endpoint, so that no identifier may name two."""
    yield from _repeated(document, ("resource_servers",), "server_id")
    clients = {str(entry.get("client_id")) for _, entry in entries_in(document, ("recipients",))}
    audiences = {str(entry.get("audience")) for _, entry in entries_in(document, ("providers",))}
    for location, server in entries_in(document, ("resource_servers",)):
        if "server_id" in server and str(server["server_id"]) in clients:
            yield (*location, "server_id"), "is the client_id of a recipient"
        if "audience" in server and str(server["audience"]) not in audiences:
            yield (*location, "audience"), "is the audience of no registered provider"


def _sign_in_faults(location: Location, provider: dict[str, Any]) -> Iterator[Fault]:
    """A provider has the table `oidc`, or sandbox customers, as its `sign_in` says, and never both."""
    is_oidc = provider.get("sign_in") == "oidc"
    oidc = provider.get("oidc")
    if is_oidc and oidc is None:
        yield (*location, "oidc"), 'is missing, which sign_in = "oidc" needs'
    if is_oidc and "customers" in provider:
        yield (*location, "customers"), 'belongs to sign_in = "sandbox"'
    if not is_oidc and oidc is not None:
        yield (*location, "oidc"), 'belongs to sign_in = "oidc"'
    if isinstance(oidc, dict):
        yield from _secret_faults((*location, "oidc"), oidc)


def _accounts_faults(location: Location, provider: dict[str, Any]) -> Iterator[Fault]:
    """Faults where the source of the accounts does not fit the way in which customers sign in."""
    accounts = provider.get("accounts")
    if not isinstance(accounts, dict):
        return
    way, asked_as = accounts.get("from"), accounts.get("as")
    needed = None
    if way == "sandbox":
        needed = "sandbox"
    elif way == "claim" or asked_as == "customer":
        needed = "oidc"
    if needed is not None and provider.get("sign_in") != needed:
        yield (*location, "accounts"), f'belongs to sign_in = "{needed}"'
    if way == "fdx" and asked_as == "service":
        yield from _secret_faults((*location, "accounts"), accounts)


def _bank_notices_faults(
    document: dict[str, Any], location: Location, provider: dict[str, Any]
) -> Iterator[Fault]:
    """Faults for which a bank could not poll for its notices: it does so as its API, by the audience."""
    notices = provider.get("notices")
    if not isinstance(notices, dict) or "audience" not in provider:
        return
    audience = str(provider["audience"])
    same = [
        entry for _, entry in entries_in(document, ("providers",)) if str(entry.get("audience")) == audience
    ]
    if len(same) > 1:
        yield (*location, "notices"), "belongs to a bank whose audience no other bank has"
    servers = (str(entry.get("audience")) for _, entry in entries_in(document, ("resource_servers",)))
    if "address" not in notices and audience not in servers:
        yield (*location, "notices"), "needs an address, or a resource server that asks"


def _secret_faults(location: Location, table: dict[str, Any]) -> Iterator[Fault]:
    if len(_KEYS_OF_A_BANK_SECRET & table.keys()) != 1:
        yield location, "must have either client_secret_env or client_secret_file"


def demo_faults(document: dict[str, Any]) -> Iterator[Fault]:
    """Faults in production: demo secrets, the sandbox, and addresses and audiences of banks with http."""
    for table in ("recipients", "resource_servers"):
        for location, entry in entries_in(document, (table,)):
            if entry.get("demo"):
                yield (*location, "demo"), "a demo secret does not work in production"
            elif entry.get("secret_sha256") in DEMO_HASHES:
                yield (*location, "secret_sha256"), "a demo secret does not work in production"
            elif _has_demo_key(entry):
                yield (*location, "jwks"), "a demo key does not work in production"
            previous = entry.get("previous_secret")
            if isinstance(previous, dict) and previous.get("sha256") in DEMO_HASHES:
                yield (*location, "previous_secret"), "a demo secret does not work in production"
            if _is_on_this_machine(entry.get("jwks_uri")):
                yield (*location, "jwks_uri"), "localhost does not work in production"
            yield from _demo_faults_of_notices(location, entry)
    for location, provider in entries_in(document, ("providers",)):
        if str(provider.get("audience")).lower().startswith("http:"):
            yield (*location, "audience"), "http does not work in production"
        if provider.get("sign_in") == "sandbox":
            yield (*location, "sign_in"), "sandbox sign-in does not work in production"
        yield from _demo_faults_of_notices(location, provider)
        for table in ("oidc", "accounts"):
            yield from _demo_faults_of_bank((*location, table), provider.get(table))


def _demo_faults_of_notices(location: Location, entry: dict[str, Any]) -> Iterator[Fault]:
    notices = entry.get("notices")
    if not isinstance(notices, dict):
        return
    if str(notices.get("address")).lower().startswith("http:"):
        yield (*location, "notices", "address"), "http does not work in production"
    elif _is_on_this_machine(notices.get("address")):
        yield (*location, "notices", "address"), "localhost does not work in production"


def _is_on_this_machine(address: Any) -> bool:
    """Whether a recipient's address names the machine that would ask there."""
    return isinstance(address, str) and _LOCALHOST.match(address) is not None


def _demo_faults_of_bank(location: Location, table: Any) -> Iterator[Fault]:
    if not isinstance(table, dict):
        return
    if table.get("from") == "sandbox":
        yield (*location, "from"), "the sandbox does not work in production"
    for key in _ADDRESSES_OF_A_BANK:
        if str(table.get(key)).lower().startswith("http:"):
            yield (*location, key), "http does not work in production"
    if "demo_client_secret" in table:
        yield (*location, "demo_client_secret"), "a demo secret does not work in production"


def _has_demo_key(entry: dict[str, Any]) -> bool:
    jwks = entry.get("jwks")
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    for jwk in keys if isinstance(keys, list) else ():
        with suppress(ValueError):
            if isinstance(jwk, dict) and import_public_key(jwk).thumbprint in DEMO_KEYS:
                return True
    return False


def _repeated(document: dict[str, Any], location: Location, key: str) -> Iterator[Fault]:
    seen: set[Any] = set()
    for entry_location, entry in entries_in(document, location):
        value = str(entry.get(key))
        if key in entry and value in seen:
            yield (*entry_location, key), "is registered twice"
        seen.add(value)
