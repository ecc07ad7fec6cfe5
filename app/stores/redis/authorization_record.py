"""An authorization request as JSON, which is kept while it waits for its browser or for its answer."""

from typing import NotRequired, TypedDict

from app.domain.authorization import AuthorizationRequest
from app.domain.clusters import format_scope, parse_scope
from app.domain.language import Language


class AuthorizationRecord(TypedDict):
    """Its members; the set of clusters is a scope."""

    client: str
    redirect_uri: str
    state: str | None
    scope: str
    provider: str
    correlation: str
    lang: str
    challenge: str | None
    # The version before did not write it.
    jkt: NotRequired[str | None]


def authorization_record(request: AuthorizationRequest) -> AuthorizationRecord:
    return {
        "client": request.client_id,
        "redirect_uri": request.redirect_uri,
        "state": request.state,
        "scope": format_scope(request.requested_scope),
        "provider": request.provider_id,
        "correlation": request.correlation_id,
        "lang": request.language,
        "challenge": request.code_challenge,
        "jkt": request.dpop_jkt,
    }


def authorization_from(record: AuthorizationRecord) -> AuthorizationRequest:
    return AuthorizationRequest(
        client_id=record["client"],
        redirect_uri=record["redirect_uri"],
        state=record["state"],
        requested_scope=parse_scope(record["scope"]),
        provider_id=record["provider"],
        correlation_id=record["correlation"],
        language=Language(record["lang"]),
        code_challenge=record["challenge"],
        dpop_jkt=record.get("jkt"),
    )
