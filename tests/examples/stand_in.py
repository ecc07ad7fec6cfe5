"""Accord as a bank's API sees it: keys, and answers to introspection, both as the test says."""

import json
import threading
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs

from joserfc import jwt
from joserfc.jwk import ECKey

from tests.support.builders import NOON

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


class StandIn:
    """As a context manager: listening inside the block. `asked` has each path that was asked, in order."""

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-256", {"kid": "one"})
        self.published = [self.key]
        self.answers: dict[str, Mapping[str, Any]] = {}
        self.asked: list[str] = []
        self.status = 200
        self.hangs_up = False
        self.wait = threading.Event()
        self.wait.set()

    def __enter__(self) -> Self:
        stand_in = self

        class Answer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._say({"keys": [key.as_dict(private=False) for key in stand_in.published]})

            def do_POST(self) -> None:
                sent = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                expected = "Basic " + b64encode(":".join(CREDENTIALS).encode()).decode()
                assert self.headers["Authorization"] == expected
                self._say(stand_in.answers.get(sent["token"][0], {"active": False}))

            def _say(self, answer: Mapping[str, Any]) -> None:
                stand_in.asked.append(self.path)
                if stand_in.hangs_up:
                    self.close_connection = True
                    return
                stand_in.wait.wait(10)
                body = json.dumps(answer).encode()
                self.send_response(stand_in.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:
                    self.close_connection = True  # whoever asked has gone

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.wait.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def issuer(self) -> str:
        return f"http://localhost:{self._server.server_port}"

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
