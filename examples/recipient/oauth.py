"""The recipient's half of the authorization code flow (RFC 6749 4.1), with PKCE (RFC 7636) and the
issuer check (RFC 9207). The protocol is Authlib's; what is written here is what a library leaves to its
user. Knows nothing of web pages."""

import secrets
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self
from urllib.parse import quote, quote_plus

import requests
from authlib.common.security import is_secure_transport
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from requests.auth import AuthBase, HTTPBasicAuth

from examples.recipient.record import ConsentRecord

TIMEOUT = (3, 10)  # seconds to connect, seconds to wait for an answer
METADATA_LIFETIME = 600  # seconds
ENDPOINTS = (
    "authorization_endpoint",
    "token_endpoint",
    "revocation_endpoint",
    "introspection_endpoint",
    "jwks_uri",
)


Refusal = Mapping[str, str]
"""Why a notice will never be taken: `err` and `description` (RFC 8935 2.3)."""


class FlowError(Exception):
    """The flow cannot go on. `code` is the `error` that Accord sent, or a word of our own."""

    def __init__(self, code: object, description: object = None) -> None:
        super().__init__(code)
        self.code = str(code)[:40]
        self.description = str(description or "")[:300]


@dataclass(frozen=True, slots=True)
class Flow:
    """What one browser that left for the bank must still know when it comes back."""

    state: str
    verifier: str = field(repr=False)
    provider_id: str
    scope: str
    correlation_id: str
    request_uri: str = ""  # of a request that was pushed (RFC 9126)


@dataclass(frozen=True, slots=True)
class Tokens:
    """A good answer of the token endpoint. `expires_at` is in seconds since 1970."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    scope: str
    expires_in: int
    expires_at: int

    @classmethod
    def parse(cls, answer: Mapping[str, Any], scheme: str) -> Self:
        """`scheme` is the only token_type that will do, in small letters."""
        names = ("access_token", "refresh_token", "scope", "token_type")
        access_token, refresh_token, scope, token_type = texts = [answer[name] for name in names]
        seconds = answer["expires_in"]
        if not all(isinstance(text, str) for text in texts) or token_type.lower() != scheme:
            raise FlowError("bad_answer")
        return cls(access_token, refresh_token, scope, int(seconds), int(time.time()) + int(seconds))


@dataclass(slots=True)
class Presented(AuthBase):
    """An access token as a call shows it (RFC 6750 2.1). `proof` is what the last call proved besides."""

    access_token: str = field(repr=False)
    proof: str = ""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.access_token}"
        return request


@contextmanager
def flow_errors() -> Iterator[None]:
    """Whatever the network, the library or a strange answer raises leaves as a `FlowError`."""
    try:
        yield
    except OAuthError as error:
        raise FlowError(error.error, error.description) from error
    except JoseError as error:
        raise FlowError("unverified_token", error.error) from error
    except requests.HTTPError as error:
        status = error.response.status_code
        raise FlowError("temporarily_unavailable" if status >= 500 else "bad_answer") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # not the JSON it should be
        raise FlowError("bad_answer") from error
    except requests.RequestException as error:
        raise FlowError("unreachable") from error


def secret_basic(client_id: str, client_secret: str) -> HTTPBasicAuth:
    """client_secret_basic. RFC 6749 2.3.1 form-encodes both before Base64; libraries often do not."""
    return HTTPBasicAuth(quote_plus(client_id), quote_plus(client_secret))


def new_flow(provider_id: str, scope: str) -> Flow:
    """Every flow has its own secrets."""
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
    return Flow(state, verifier, provider_id, scope, correlation_id=str(uuid.uuid4()))


@dataclass
class Accord:
    """One authorization server, and what was agreed with it. Its methods raise `FlowError` only."""

    issuer: str
    client_id: str
    credentials: AuthBase = field(repr=False)
    redirect_uri: str
    endpoints: ClassVar[tuple[str, ...]] = ENDPOINTS
    scheme: ClassVar[str] = "bearer"
    _metadata: dict[str, Any] = field(default_factory=dict, init=False, repr=False)
    _fresh_until: float = field(default=0, init=False, repr=False)

    def begin(self, *, provider_id: str, scope: str, lang: str) -> tuple[str, Flow]:
        """Where to send the browser, and what to remember for it."""
        flow = new_flow(provider_id, scope)
        with flow_errors(), self._session() as session:
            url, _state = session.create_authorization_url(
                self._endpoint("authorization_endpoint"),
                state=flow.state,
                code_verifier=flow.verifier,  # only its S256 challenge is sent
                scope=flow.scope,
                provider_id=flow.provider_id,
                correlation_id=flow.correlation_id,
                lang=lang,
            )
        return url, flow

    def read_answer(self, params: Mapping[str, str]) -> str:
        """The code in a callback whose `state` has already been found to be this browser's."""
        # RFC 9207 2.4: before anything else in the answer is believed, errors included.
        if params.get("iss") != self.issuer:
            raise FlowError("wrong_issuer")
        if "error" in params:
            raise FlowError(params["error"], params.get("error_description"))
        if not params.get("code"):
            raise FlowError("bad_answer")
        return params["code"]

    def redeem(self, code: str, flow: Flow) -> Tokens:
        """RFC 6749 4.1.3. Works once for each code."""
        return self._ask("authorization_code", code=code, code_verifier=flow.verifier)

    def refresh(self, refresh_token: str) -> Tokens:
        """RFC 6749 6. Accord does not rotate refresh tokens: the answer names the one that was sent.

        No scope is sent, which means all that is granted now.
        """
        return self._ask("refresh_token", refresh_token=refresh_token)

    def present(self, access_token: str) -> Presented:
        """How a token of ours is shown to the API that it is for."""
        return Presented(access_token)

    def revoke(self, refresh_token: str) -> None:
        """RFC 7009: ends the connection, with every token of it. Returns only once Accord has said so."""
        self._post("revocation_endpoint", token=refresh_token)

    def find_consent_id(self, refresh_token: str) -> str:
        """RFC 7662: which consent a token of ours belongs to; nothing, once it no longer works."""
        with flow_errors():
            answer = self._post("introspection_endpoint", token=refresh_token).json()
            return str(answer["consent_id"]) if answer["active"] else ""

    def read_record(self, consent_id: str) -> ConsentRecord:
        """The record of a consent of ours. With a token for ourselves (RFC 6749 4.4), which opens it even
        when the consent is over and its own tokens are dead."""
        with flow_errors(), self._session() as session:
            url = f"{self.issuer.rstrip('/')}/api/v1/consents/{quote(consent_id, safe='')}"
            shown = self.present(self._own_token(session))
            response = session.request("GET", url, auth=shown, withhold_token=True, allow_redirects=False)
            response.raise_for_status()
            return ConsentRecord.parse(response.json())

    def read_claims(self, access_token: str) -> dict[str, Any]:
        """What the token says, verified. The token is meant for the bank's API (RFC 9068): a recipient has
        no need to look inside and decides nothing by it. This one looks in order to show what is there."""
        expected = jwt.JWTClaimsRegistry(
            leeway=30,
            iss={"essential": True, "value": self.issuer},
            client_id={"essential": True, "value": self.client_id},
            exp={"essential": True},
        )
        keys = self.signing_keys()
        with flow_errors():
            # RFC 8725 3.1: the algorithm is ours to fix, not the token's to choose.
            token = jwt.decode(access_token, keys, algorithms=["ES256"])
            if token.header.get("typ") != "at+jwt":
                raise FlowError("unverified_token", "typ")
            expected.validate(token.claims)
            return token.claims

    def signing_keys(self) -> KeySet:
        """The keys with which Accord signs tokens and notices. They change: nobody keeps them for long."""
        with flow_errors():
            return KeySet.import_key_set(self._get_json(self._endpoint("jwks_uri")))

    def poll_notices(
        self, *, taken: Iterable[str], refused: Mapping[str, Mapping[str, str]]
    ) -> dict[str, str]:
        """RFC 8936: says what became of the notices before, and returns those that wait, by their `jti`."""
        asked: dict[str, Any] = {"maxEvents": 20, "returnImmediately": True}
        asked |= {"ack": list(taken), "setErrs": dict(refused)}
        with flow_errors(), self._session() as session:
            url = f"{self.issuer.rstrip('/')}/api/v1/notices"
            shown = self.present(self._own_token(session))
            response = session.request(
                "POST", url, json=asked, auth=shown, withhold_token=True, allow_redirects=False
            )
            response.raise_for_status()
            return {str(jti): str(token) for jti, token in response.json()["sets"].items()}

    def _own_token(self, session: OAuth2Session) -> str:
        """An access token for ourselves (RFC 6749 4.4)."""
        answer = session.fetch_token(
            self._endpoint("token_endpoint"),
            grant_type="client_credentials",
            scope="client:admin",
            auth=self.credentials,
            allow_redirects=False,
        )
        return str(answer["access_token"])

    def _ask(self, grant_type: str, **fields: str) -> Tokens:
        with flow_errors(), self._session() as session:
            answer = session.fetch_token(
                self._endpoint("token_endpoint"),
                grant_type=grant_type,
                auth=self.credentials,
                allow_redirects=False,  # a code or a secret goes to this address and to no other
                **fields,
            )
            return Tokens.parse({**fields, **answer}, self.scheme)

    def _post(self, endpoint: str, **fields: str) -> requests.Response:
        """Asks as this client; anything but 200 is a failure."""
        with flow_errors(), self._session() as session:
            response = session.request(
                "POST",
                self._endpoint(endpoint),
                data=fields,
                auth=self.credentials,
                withhold_token=True,
                allow_redirects=False,
            )
            response.raise_for_status()
            if response.status_code != 200:
                raise FlowError("bad_answer")
            return response

    def _endpoint(self, name: str) -> str:
        """Asked for when first needed, so that the recipient starts while Accord is down."""
        if time.monotonic() >= self._fresh_until:
            metadata = self._get_json(f"{self.issuer.rstrip('/')}/.well-known/oauth-authorization-server")
            if metadata["issuer"] != self.issuer:  # RFC 8414 3.3
                raise FlowError("wrong_issuer")
            if not all(is_secure_transport(metadata[endpoint]) for endpoint in self.endpoints):
                raise FlowError("bad_answer")
            self._metadata, self._fresh_until = metadata, time.monotonic() + METADATA_LIFETIME
        return str(self._metadata[name])

    def _get_json(self, url: str) -> Any:
        with self._session() as session:
            response = session.request("GET", url, withhold_token=True, allow_redirects=False)
            response.raise_for_status()
            return response.json()

    def _session(self) -> OAuth2Session:
        settings = {"code_challenge_method": "S256", "default_timeout": TIMEOUT}
        session = OAuth2Session(self.client_id, redirect_uri=self.redirect_uri, **settings)
        session.trust_env = False  # a proxy or .netrc meant for something else stays out of it
        return session
