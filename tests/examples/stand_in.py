"""Accord as a bank's API sees it: keys, and answers to introspection, both as the test says."""

import json
import threading
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from joserfc import jwt
from joserfc.jwk import ECKey

from tests.support.builders import NOON
from tests.support.loopback_server import LoopbackServer, QuietHandler

CREDENTIALS = ("maple-api", "maple-api-demo-secret")
AUDIENCE = "http://localhost:8003/maple"
SUBJECT = "maple-0001"
ALL = (
    "ACCOUNT_BASIC", "ACCOUNT_DETAILED", "TRANSACTIONS", "STATEMENTS", "INVESTMENTS",
    "ACCOUNT_PAYMENTS", "CUSTOMER_CONTACT", "CUSTOMER_PERSONAL",
)  # fmt: skip
LEVEL_OF_CUSTOMER = ("CUSTOMER_CONTACT", "CUSTOMER_PERSONAL")

Resource = dict[str, Any]


def account_resource(account_id: str, *clusters: str) -> Resource:
    return {"resourceType": "ACCOUNT", "resourceId": account_id, "dataClusters": list(clusters)}


def customer_resource(*clusters: str, subject: str = SUBJECT) -> Resource:
    return {"resourceType": "CUSTOMER", "resourceId": subject, "dataClusters": list(clusters)}


class StandIn(LoopbackServer):
    """`asked` has each path that was asked, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.key = ECKey.generate_key("P-256", {"kid": "one"})
        self.published = [self.key]
        self.answers: dict[str, Mapping[str, Any]] = {}
        self.asked: list[str] = []
        self.status = 200
        self.hangs_up = False
        self.wait = threading.Event()
        self.wait.set()

    def handler(self) -> type["_Answer"]:
        return type("Answer", (_Answer,), {"stand_in": self})

    def __exit__(self, *reason: object) -> None:
        self.wait.set()
        super().__exit__(*reason)

    @property
    def issuer(self) -> str:
        return f"http://localhost:{self.port}"

    def sign(self, *, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """An access token that is in order but for what is named here. None leaves a claim out."""
        known = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": SUBJECT,
            "client_id": "dc-budget",
            "scope": " ".join(ALL),
            "exp": int((NOON + timedelta(minutes=5)).timestamp()),
            **claims,
        }
        sent = {name: value for name, value in known.items() if value is not None}
        named = {"alg": "ES256", "typ": "at+jwt", "kid": self.key.kid, **(header or {})}
        return jwt.encode({name: value for name, value in named.items() if value is not None}, sent, self.key)

    def grant(self, *resources: Resource, token: str | None = None, **answer: Any) -> str:
        """A token for a consent with these resources, which introspection tells from now on."""
        token = token or self.sign()
        told = {
            "active": True,
            "token_type": "Bearer",
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": SUBJECT,
            "client_id": "dc-budget",
            "scope": " ".join(ALL),
            "fdxConsentId": "consent-1",
            "authorization_details": [{"type": "fdx_v1.0", "consentRequest": {"resources": list(resources)}}],
            **answer,
        }
        self.answers[token] = {name: value for name, value in told.items() if value is not None}
        return token


def later(**span: float) -> datetime:
    return NOON + timedelta(**span)


class _Answer(QuietHandler):
    stand_in: StandIn

    def get(self) -> None:
        self._say({"keys": [key.as_dict(private=False) for key in self.stand_in.published]})

    def post(self, body: bytes) -> None:
        sent = parse_qs(body.decode())
        expected = "Basic " + b64encode(":".join(CREDENTIALS).encode()).decode()
        assert self.headers["Authorization"] == expected
        self._say(self.stand_in.answers.get(sent["token"][0], {"active": False}))

    def _say(self, answer: Mapping[str, Any]) -> None:
        self.stand_in.asked.append(self.path)
        if self.stand_in.hangs_up:
            self.close_connection = True
            return
        self.stand_in.wait.wait(10)
        body = json.dumps(answer).encode()
        self.send_response(self.stand_in.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            self.close_connection = True  # whoever asked has gone
