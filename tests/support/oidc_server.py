"""A bank's OpenID Connect server on loopback: honest until a test tells it how to lie.

Its sign-in page is `sign_in(url)`: what a customer's browser would be sent back to. Everything else is HTTP.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from tests.support.loopback_server import LoopbackServer, QuietHandler

CLIENT_ID = "accord"
CLIENT_SECRET = "harbour-demo-secret"

METADATA = "/.well-known/openid-configuration"
KEYS = "/keys"
TOKEN = "/token"

# What can go wrong while an answer is on its way; each takes the handler and the whole of a good answer.
Trick = Callable[["_Handler", bytes], None]


def hang(handler: "_Handler", _answer: bytes) -> None:
    """Says nothing for 30 seconds."""
    handler.bank.closing.wait(30)


def drip(handler: "_Handler", answer: bytes) -> None:
    """A byte now and then, and the last one never: no single wait is long."""
    for byte in answer[:-1] + b" " * 30_000:
        handler.wfile.write(bytes([byte]))
        if handler.bank.closing.wait(0.02):
            return


def cut(handler: "_Handler", answer: bytes) -> None:
    """Hangs up in the middle of the body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    handler.wfile.write(head + b"\r\n\r\n" + body[: len(body) // 2])


def hang_up(_handler: "_Handler", _answer: bytes) -> None:
    """Hangs up at once."""


def flood(handler: "_Handler", _answer: bytes) -> None:
    """Never stops."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while not handler.bank.closing.is_set():
        handler.wfile.write(b" " * 65_536)


def flood_in_chunks(size: bytes) -> Trick:
    """Never stops, and says that its first chunk has this size."""

    def trick(handler: "_Handler", _answer: bytes) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + size + b"\r\n")
        while not handler.bank.closing.is_set():
            handler.wfile.write(b" " * 65_536)

    return trick


def announce_too_much(handler: "_Handler", _answer: bytes) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{}")


def garble(handler: "_Handler", _answer: bytes) -> None:
    handler.wfile.write(b"\x16\x03\x01 no HTTP at all\r\n\r\n")


def say(status: str, body: bytes, *headers: str) -> Trick:
    """Answers with `status` and `body` instead."""
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers])

    def trick(handler: "_Handler", _answer: bytes) -> None:
        handler.wfile.write(head.encode() + b"\r\n\r\n" + body)

    return trick


def say_as_it_is(answer: bytes) -> Trick:
    """Answers with these bytes, the head included."""

    def trick(handler: "_Handler", _answer: bytes) -> None:
        handler.wfile.write(answer)

    return trick


class NotRegistered(Exception):
    """An authorization request names an address that its client has not registered."""


@dataclass
class OidcServer(LoopbackServer):
    """One bank. `now` is its clock."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    customer: dict[str, Any] = field(default_factory=lambda: {"sub": "alex", "name": "Alex Tremblay"})
    key: ECKey | RSAKey = field(default_factory=lambda: a_key("first"))
    algorithm: str = "ES256"
    published: list[ECKey | RSAKey] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)  # said beside, or instead of, what is true
    claims: dict[str, Any] = field(default_factory=dict)  # the same for ID tokens; None leaves a claim out
    header: dict[str, Any] = field(default_factory=dict)
    tokens: dict[str, Any] = field(default_factory=dict)  # the same for the token endpoint's answer
    answer: dict[str, str | None] = field(default_factory=dict)  # the same for what the browser brings back
    registered: str | None = None  # the one redirect_uri that is registered here; any, until a test names it
    tricks: dict[str, Trick] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    token_requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)
    _others: dict[str, dict[str, str]] = field(default_factory=dict)  # who signed in instead, by nonce

    def handler(self) -> type["_Handler"]:
        self.published = self.published or [self.key]
        return type("Handler", (_Handler,), {"bank": self})

    @property
    def issuer(self) -> str:
        return f"http://localhost:{self.port}"

    def count(self, path: str) -> int:
        """How often it was asked for `path`."""
        return self.asked.count(path)

    def sign_in(self, url: str, **customer: str) -> str:
        """Signs the customer in who was sent to `url`; the address to which the browser goes back.

        Raises NotRegistered where that is not the client's (RFC 6749 4.1.2.1: nobody is sent there).
        """
        params = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        if self.registered is not None and params["redirect_uri"] != self.registered:
            raise NotRegistered(params["redirect_uri"])
        if customer:
            self._others[params["nonce"]] = customer
        code = f"code-{len(self._codes)}-of-{params['state'][:8]}"
        self._codes[code] = params
        return self.callback(params, code=code)

    def refuse(self, url: str, error: str) -> str:
        """Signs nobody in; the address to which the browser goes back."""
        params = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        return self.callback(params, error=error, error_description="marked-description")

    def callback(self, params: dict[str, str], **answer: str) -> str:
        said: dict[str, str | None] = {**answer, "state": params["state"], **self.answer}
        present = {name: value for name, value in said.items() if value is not None}
        return f"{params['redirect_uri']}?{urlencode(present)}"

    def answer_to(self, target: str, body: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """The status and the JSON for a request; `target` is its path and query."""
        path = urlsplit(target).path
        if path == METADATA:
            return 200, self._metadata()
        if path == KEYS:
            keys: list[Any] = [key.as_dict(private=False) for key in self.published]
            return 200, {"keys": keys}
        if path == TOKEN:
            self.token_requests.append((authorization, body))
            return self._redeem(body, authorization)
        return 404, {}

    def id_token(self, params: dict[str, str]) -> str:
        now = int(self.now().timestamp())
        claims = {
            "iss": self.issuer,
            "aud": params["client_id"],
            "nonce": params["nonce"],
            "iat": now,
            "exp": now + 300,
            **({"auth_time": now} if "max_age" in params else {}),
            **self._others.get(params["nonce"], self.customer),
            **self.claims,
        }
        header = {"alg": self.algorithm, "kid": self.key.kid, **self.header}
        payload = json.dumps({name: value for name, value in claims.items() if value is not None})
        signed = f"{_encoded(json.dumps(header).encode())}.{_encoded(payload.encode())}"
        if header["alg"] == "none":
            return f"{signed}."
        if header["alg"] == "HS256":  # with the public key as a secret that everybody knows (RFC 8725 2.1)
            secret = self.key.as_pem(private=False)
            return f"{signed}.{_encoded(hmac.digest(secret, signed.encode(), 'sha256'))}"
        present = {name: value for name, value in header.items() if value is not None}
        registry = jws.JWSRegistry(algorithms=[header["alg"]], strict_check_header=False)
        return jws.serialize_compact(present, payload, self.key, registry=registry)

    def _metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize?tenant=a",
            "token_endpoint": f"{self.issuer}{TOKEN}",
            "jwks_uri": f"{self.issuer}{KEYS}",
            **self.metadata,
        }

    def _redeem(self, body: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """RFC 6749 4.1.3 and RFC 7636 4.6, as strictly as they can be read."""
        if not is_authenticated(body, authorization):
            return 401, {"error": "invalid_client"}
        asked = self._codes.pop(body.get("code", ""), None)
        verifier = body.get("code_verifier", "")
        challenge = _encoded(hashlib.sha256(verifier.encode()).digest())
        if (
            asked is None
            or body.get("grant_type") != "authorization_code"
            or body.get("redirect_uri") != asked["redirect_uri"]
            or asked["code_challenge_method"] != "S256"
            or challenge != asked["code_challenge"]
        ):
            return 400, {"error": "invalid_grant", "error_description": "marked-description"}
        tokens = {"access_token": "marked-access-token", "token_type": "Bearer", "expires_in": 60}
        return 200, {**tokens, "id_token": self.id_token(asked), **self.tokens}


def a_key(kid: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": "ES256"})


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def is_authenticated(body: dict[str, str], authorization: str) -> bool:
    kind, _, credentials = authorization.partition(" ")
    if kind != "Basic":
        return (body.get("client_id"), body.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)
    client_id, _, secret = base64.b64decode(credentials).decode().partition(":")
    return (unquote_plus(client_id), unquote_plus(secret)) == (CLIENT_ID, CLIENT_SECRET)


class _Handler(QuietHandler):
    bank: OidcServer

    def get(self) -> None:
        self._answer({})

    def post(self, body: bytes) -> None:
        self._answer({name: values[0] for name, values in parse_qs(body.decode()).items()})

    def _answer(self, body: dict[str, str]) -> None:
        path = urlsplit(self.path).path
        self.bank.asked.append(path)
        status, found = self.bank.answer_to(self.path, body, self.headers.get("Authorization", ""))
        content = json.dumps(found).encode()
        head = (
            f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        trick = self.bank.tricks.get(path)
        self.close_connection = True
        with suppress(OSError):  # the other side may have had enough
            if trick is None:
                self.wfile.write(head.encode() + content)
            else:
                trick(self, head.encode() + content)
