"""What is done with a connection: it is made from an answer, read, refreshed, and revoked."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

from flask import current_app, session
from werkzeug.datastructures import MultiDict

from examples.recipient.bank_data import BankApi, BankData, DataRefused, DataUnavailable
from examples.recipient.connections import Connection, Connections
from examples.recipient.fapi import FapiAccord
from examples.recipient.language import ZONE, language
from examples.recipient.oauth import Accord, Flow, FlowError


def finish(flow: Flow, params: MultiDict[str, str]) -> None:
    if any(len(values) > 1 for _name, values in params.lists()):  # RFC 6749 3.1
        raise FlowError("bad_answer")
    code = accord_of(flow).read_answer(params)
    # Two callbacks at the same time must not redeem twice: the second would kill the first one's tokens.
    with connections().turn(flow.state):
        if connections().find(flow.state) is None:
            tokens = accord_of(flow).redeem(code, flow)
            consent_id = find_consent_id(flow, tokens.refresh_token)
            made = Connection(
                flow,
                code,
                tokens,
                claims=find_claims(flow, tokens.access_token),
                consent_id=consent_id,
                ends_at=find_end(flow, consent_id),
            )
            connections().keep(flow.state, made)
    if session.get("connection") != flow.state:
        connections().forget(session.get("connection", ""))
        session["connection"] = flow.state


def refresh(found: Connection) -> Connection:
    """As often as you like."""
    tokens = accord_of(found.flow).refresh(found.tokens.refresh_token)
    claims = find_claims(found.flow, tokens.access_token)
    return replace(found, outcome="refreshed", tokens=tokens, claims=claims)


def replay(found: Connection) -> Connection:
    """A second redemption of the code, which nobody should ever try, to be seen refused (RFC 6749 4.1.2)."""
    accord_of(found.flow).redeem(found.code, found.flow)
    return replace(found, outcome="accepted")


def record(found: Connection) -> Connection:
    """What Accord has on record, also when the connection is over: by then its tokens tell nothing more."""
    accord = accord_of(found.flow)
    consent_id = found.consent_id or accord.find_consent_id(found.tokens.refresh_token)
    if not consent_id:
        raise FlowError("unknown")
    return replace(found, outcome="read", consent_id=consent_id, record=accord.read_record(consent_id))


def revoke(found: Connection) -> Connection:
    """Ends the connection, then tries to refresh: that must fail from now on."""
    accord = accord_of(found.flow)
    accord.revoke(found.tokens.refresh_token)
    over = replace(found, ended=True, record=None)
    try:
        accord.refresh(found.tokens.refresh_token)
    except FlowError as error:
        return replace(over, outcome="revoked" if error.code == "invalid_grant" else "unchecked")
    return replace(found, outcome="accepted")


ACTIONS: Mapping[str, Callable[[Connection], Connection]] = {
    "refresh": refresh,
    "replay": replay,
    "record": record,
    "revoke": revoke,
}


def with_data(found: Connection) -> tuple[Connection, BankData | None]:
    """The connection as it is now, and what the bank gives for it; None where it gives nothing now.

    A token that the bank refuses may be old. Where a refresh is refused, too, the customer has stopped.
    """
    if found.ended:
        return found, None
    accord = accord_of(found.flow)
    try:
        if found.tokens.expires_at <= datetime.now(UTC).timestamp():
            found = replace(found, tokens=accord.refresh(found.tokens.refresh_token))
        try:
            found, data = read_data(found)
        except DataRefused as refused:
            if refused.code != "602":
                raise
            found = replace(found, refused=refused.code)
            found = replace(found, tokens=accord.refresh(found.tokens.refresh_token))
            found, data = read_data(found)
            found = replace(found, refused="")
    except DataRefused as refused:
        found, data = replace(found, refused=refused.code), None
    except DataUnavailable:
        data = None
    except FlowError as error:
        found, data = replace(found, ended=error.code == "invalid_grant"), None
    connections().keep(session["connection"], found)
    return found, data


def read_data(found: Connection) -> tuple[Connection, BankData]:
    """What the page shows. This month begins where the customer is."""
    banks = cast("Mapping[str, BankApi]", current_app.extensions["banks"])
    token = accord_of(found.flow).present(found.tokens.access_token)
    data = banks[found.flow.provider_id].read(
        token,
        frozenset(found.tokens.scope.split()),
        since=datetime.now(ZONE).date().replace(day=1),
        language=language(),
    )
    return replace(found, proof=token.proof), data


def accord() -> Accord:
    return cast("Accord", current_app.extensions["accord"])


def fapi() -> FapiAccord:
    """The same server, as it knows this recipient under FAPI 2.0."""
    return cast("FapiAccord", current_app.extensions["fapi"])


def accord_of(flow: Flow) -> Accord:
    """The server as it was asked in this flow."""
    return fapi() if flow.request_uri else accord()


def connections() -> Connections:
    return cast("Connections", current_app.extensions["connections"])


def load_connection() -> Connection:
    found = connections().find(session.get("connection", ""))
    if found is None:
        raise FlowError("no_connection")
    return found


def find_claims(flow: Flow, access_token: str) -> dict[str, Any]:
    """Empty when they cannot be verified now: the connection does not depend on them."""
    try:
        return accord_of(flow).read_claims(access_token)
    except FlowError as error:
        current_app.logger.warning("access token not verified: %s", error)
        return {}


def find_consent_id(flow: Flow, refresh_token: str) -> str:
    """Empty when Accord cannot be asked now: it is needed for nothing but the record."""
    try:
        return accord_of(flow).find_consent_id(refresh_token)
    except FlowError as error:
        current_app.logger.warning("consent id not found: %s", error)
        return ""


def find_end(flow: Flow, consent_id: str) -> datetime | None:
    """When the consent ends; None when Accord cannot be asked now. The bank's receipt has it, too."""
    try:
        return datetime.fromisoformat(accord_of(flow).read_record(consent_id).expires) if consent_id else None
    except (FlowError, ValueError) as error:
        current_app.logger.warning("end of the consent not found: %s", error)
        return None
