"""What Accord tells about consents of ours: Security Event Tokens (RFC 8417), which it sends to an address of
this app (RFC 8935), or which are asked for (RFC 8936). Start with `read_notice`."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from threading import Thread
from typing import cast

from flask import Blueprint, Flask, current_app, request
from flask.typing import ResponseReturnValue
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from examples.recipient.oauth import Accord, FlowError, Refusal

MEDIA_TYPE = "application/secevent+jwt"
CLOCKS_DIFFER = 60  # seconds
PLAIN = {"Content-Type": "text/plain"}
BETWEEN_POLLS = 2  # seconds: a demonstration is watched; once a minute is often enough for others

bp = Blueprint("notices", __name__)


class NoticeRefused(Exception):
    """A notice that will never be taken. `err` is a code of RFC 8935 2.4."""

    def __init__(self, err: str, description: str) -> None:
        super().__init__(err)
        self.err, self.description = err, description

    def answer(self) -> Refusal:
        return {"err": self.err, "description": self.description}


@dataclass(frozen=True, slots=True)
class Notice:
    """What has become of a consent (FDX): CONSENT_REVOKED, CONSENT_UPDATED, CONSENT_EXPIRED; or RENEWAL_DUE,
    a subtype of CUSTOM, that it ends soon."""

    jti: str
    consent_id: str
    type: str


def read_notice(token: str, keys: KeySet, *, issuer: str, for_us: Collection[str]) -> Notice:
    """The notice in a token that Accord has signed for one of our client ids. Raises NoticeRefused.

    Nothing in it is believed before its signature is verified, with an algorithm that is ours to fix and a
    type that no other token of Accord's has (RFC 8725 3.1, 3.11).
    """
    try:
        decoded = jwt.decode(token, keys, algorithms=["ES256"])
    except (JoseError, ValueError, TypeError, LookupError) as error:
        raise NoticeRefused("authentication_failed", "the signature is not Accord's") from error
    claims = decoded.claims
    if decoded.header.get("typ") != "secevent+jwt":
        raise NoticeRefused("invalid_request", "typ must be secevent+jwt")
    if claims.get("iss") != issuer:
        raise NoticeRefused("invalid_issuer", "iss is not our Accord")
    if claims.get("aud") not in for_us:
        raise NoticeRefused("invalid_audience", "aud is not us")
    issued_at = claims.get("iat")
    if not isinstance(issued_at, int) or issued_at > time.time() + CLOCKS_DIFFER:
        raise NoticeRefused("invalid_request", "iat is in the future")
    try:
        event = claims["events"][f"{issuer}/events/consent"]
        kind = event["subtype"] if event["type"] == "CUSTOM" else event["type"]
        return Notice(str(claims["jti"]), str(claims["sub_id"]["id"]), str(kind))
    except (LookupError, TypeError) as error:
        raise NoticeRefused("invalid_request", "it is not about a consent") from error


@bp.post("/notices")
def take_notice() -> ResponseReturnValue:
    """202 once it is taken, also when it comes again. What cannot be checked now is to come again (503)."""
    if request.mimetype != MEDIA_TYPE:
        return NoticeRefused("invalid_request", f"the media type must be {MEDIA_TYPE}").answer(), 400
    try:
        take(current_app, request.get_data(as_text=True).strip())
    except NoticeRefused as refused:
        return refused.answer(), 400
    except FlowError as error:
        current_app.logger.warning("notice not checked: %s", error.code)
        return "", 503, PLAIN
    return "", 202, PLAIN


def take(app: Flask, token: str) -> None:
    """Raises NoticeRefused, and FlowError where Accord's keys cannot be had."""
    accords = ours(app)
    for_us = [accord.client_id for accord in accords]
    notice = read_notice(token, accords[0].signing_keys(), issuer=accords[0].issuer, for_us=for_us)
    app.extensions["connections"].tell(notice.jti, notice.consent_id, notice.type)


def ours(app: Flask) -> list[Accord]:
    """Accord, as it knows us by each of our registrations."""
    return [cast("Accord", app.extensions[name]) for name in ("accord", "fapi")]


# Asked for, instead of being sent


def poll_for_ever(app: Flask) -> None:
    """Asks for notices from now on, in a thread of its own."""

    def poll() -> None:
        answers: dict[str, Answers] = {accord.client_id: Answers() for accord in ours(app)}
        while True:
            for accord in ours(app):
                try:
                    answers[accord.client_id] = poll_once(app, accord, answers[accord.client_id])
                except FlowError as error:
                    app.logger.warning("notices not asked for: %s", error.code)
            time.sleep(BETWEEN_POLLS)

    Thread(target=poll, name="notices", daemon=True).start()


@dataclass(frozen=True, slots=True)
class Answers:
    """What became of the notices of a poll, which the next one says."""

    taken: tuple[str, ...] = ()
    refused: Mapping[str, Refusal] = field(default_factory=dict)


def poll_once(app: Flask, accord: Accord, before: Answers) -> Answers:
    """Says what became of the notices before, and takes those that wait. Raises FlowError."""
    taken: list[str] = []
    refused: dict[str, Refusal] = {}
    for jti, token in accord.poll_notices(taken=before.taken, refused=before.refused).items():
        try:
            take(app, token)
        except NoticeRefused as error:
            refused[jti] = error.answer()
        else:
            taken.append(jti)
    return Answers(tuple(taken), refused)
