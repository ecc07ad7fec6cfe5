"""The recipient's half as FAPI 2.0 has it: it signs who it is (private_key_jwt, RFC 7523), pushes its
request (RFC 9126), and binds its tokens to a key (DPoP, RFC 9449). The signatures are
requests_oauth2client's, the rest is as in `oauth.py`."""

import hashlib
import json
import os
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlencode

import requests
from joserfc.jws import extract_compact
from requests.auth import AuthBase
from requests_oauth2client import DPoPKey, PrivateKeyJwt

from examples.recipient.oauth import ENDPOINTS, Accord, Flow, FlowError, Presented, flow_errors, new_flow

DEMO_KEYS = Path(__file__).resolve().parents[2] / "registry" / "demo_fapi_key.json"
PUSH = "pushed_authorization_request_endpoint"


@dataclass(frozen=True, slots=True)
class Signed(AuthBase):
    """Says in a call to Accord who we are, and proves our key. Where no proof is needed it does no harm."""

    assertion: PrivateKeyJwt
    key: DPoPKey

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        # Authlib names a charset, too, which PrivateKeyJwt takes for another type of body.
        request.headers["Content-Type"] = "application/x-www-form-urlencoded"
        signed = self.assertion(request)
        signed.headers["DPoP"] = prove(self.key, signed)
        return signed


@dataclass(slots=True)
class Bound(Presented):
    """An access token that is worth nothing without a proof of its key (RFC 9449 7.1): each call has one."""

    key: DPoPKey = field(kw_only=True, repr=False)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        self.proof = prove(self.key, request, ath=digest(self.access_token))
        request.headers["Authorization"] = f"DPoP {self.access_token}"
        request.headers["DPoP"] = self.proof
        return request


@dataclass
class FapiAccord(Accord):
    """Accord for a recipient with keys and the profile `fapi2`. The key of the tokens changes at a restart:
    this example forgets its tokens then. A real recipient keeps both."""

    key: DPoPKey = field(kw_only=True, repr=False)
    endpoints: ClassVar[tuple[str, ...]] = (*ENDPOINTS, PUSH)
    scheme: ClassVar[str] = "dpop"

    def begin(self, *, provider_id: str, scope: str, lang: str) -> tuple[str, Flow]:
        """Pushes the request. The browser carries a reference to it, which nobody can change on the way."""
        flow = new_flow(provider_id, scope)
        with flow_errors(), self._session() as session:
            response = session.request(
                "POST",
                self._endpoint(PUSH),
                data=self.pushed(flow),
                auth=self.credentials,
                withhold_token=True,
                allow_redirects=False,
            )
            answer = response.json()
            if response.status_code != 201:
                raise FlowError(answer["error"], answer.get("error_description"))
            flow = replace(flow, request_uri=str(answer["request_uri"]))
            query = {"client_id": self.client_id, "request_uri": flow.request_uri, "lang": lang}
            return f"{self._endpoint('authorization_endpoint')}?{urlencode(query)}", flow

    def pushed(self, flow: Flow) -> dict[str, str]:
        """What is pushed for this flow; the assertion, which is made anew for each call, comes on top."""
        return {
            "client_id": self.client_id,
            "response_type": "code",
            "redirect_uri": self.redirect_uri,
            "scope": flow.scope,
            "state": flow.state,
            "code_challenge": digest(flow.verifier),
            "code_challenge_method": "S256",
            "provider_id": flow.provider_id,
            "correlation_id": flow.correlation_id,
        }

    def present(self, access_token: str) -> Presented:
        return Bound(access_token, key=self.key)


def fapi_accord(issuer: str, client_id: str, keys: str | os.PathLike[str], redirect_uri: str) -> FapiAccord:
    """`keys` is a file with a private JWK Set, whose first key signs who we are."""
    [first, *_others] = json.loads(Path(keys).read_text(encoding="utf-8"))["keys"]
    # The issuer alone is who an assertion is for: not the address of an endpoint, the library's default.
    assertion = PrivateKeyJwt(client_id, first, aud=issuer)
    key = DPoPKey.generate()
    return FapiAccord(issuer, client_id, Signed(assertion, key), redirect_uri, key=key)


def prove(key: DPoPKey, request: requests.PreparedRequest, ath: str | None = None) -> str:
    """A proof of the key for this one call. `ath` is the hash of the access token in it."""
    return str(key.proof(htm=str(request.method), htu=str(request.url), ath=ath))


def digest(text: str) -> str:
    """What stands for a verifier in a request (RFC 7636 4.2), and for a token in a proof (RFC 9449 4.2)."""
    return urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def read_proof(proof: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header and the claims, for a page to show."""
    parsed = extract_compact(proof.encode())
    return dict(parsed.headers()), dict(json.loads(parsed.payload))
