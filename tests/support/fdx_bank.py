"""A bank's OpenID Connect server that also tells its customers' accounts: as FDX, and as a claim.

It serves `accounts` at ACCOUNTS to whoever brings the access token of a sign-in, and at `/customers/<subject>`
to a service that has a token of client_credentials, `page_size` at a time.
"""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from app.domain.account_sources import ServiceSource
from tests.support.oidc_server import CLIENT_ID, CLIENT_SECRET, TOKEN, OidcServer, is_authenticated

ACCOUNTS = "/fdx/v6/accounts"
USERINFO = "/userinfo"
CUSTOMER_TOKEN = "marked-access-token"
SERVICE_TOKEN = "marked-service-token"


def a_descriptor(account_id: str = "acc-1", **members: Any) -> dict[str, Any]:
    """FDX AccountDescriptor."""
    return {
        "accountId": account_id,
        "accountCategory": "DEPOSIT_ACCOUNT",
        "accountType": "CHECKING",
        "accountNumberDisplay": "****4821",
        "productName": "Chequing Plus",
        "nickname": f"Account {account_id}",
        "status": "OPEN",
        **members,
    }


@dataclass
class FdxBank(OidcServer):
    accounts: Any = field(default_factory=lambda: [a_descriptor("acc-1"), a_descriptor("acc-2")])
    page_size: int = 100
    userinfo: dict[str, Any] = field(default_factory=dict)  # said beside, or instead of, what is true
    service_token: dict[str, Any] = field(default_factory=dict)  # the same for the answer with such a token
    scopes: list[str] = field(default_factory=list)  # of client_credentials
    subjects: list[str] = field(default_factory=list)  # about whom the service asked
    authorizations: list[str] = field(default_factory=list)  # with which accounts were asked for

    @property
    def address(self) -> str:
        return f"{self.issuer}{ACCOUNTS}?resultType=lightweight"

    def service(self, **changes: Any) -> ServiceSource:
        values: dict[str, Any] = {
            "address": f"{self.issuer}/customers/{{subject}}/accounts",
            "token_address": f"{self.issuer}{TOKEN}",
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
        }
        return ServiceSource(**{**values, **changes})

    def _metadata(self) -> dict[str, Any]:
        return {"userinfo_endpoint": f"{self.issuer}{USERINFO}", **super()._metadata()}

    def answer_to(self, target: str, body: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        path = urlsplit(target).path
        if path == ACCOUNTS:
            self.authorizations.append(authorization)
            return self._page(target) if authorization == f"Bearer {CUSTOMER_TOKEN}" else (401, {})
        if path.startswith("/customers/"):
            self.authorizations.append(authorization)
            self.subjects.append(unquote(path.split("/")[2]))
            return self._page(target) if authorization == f"Bearer {SERVICE_TOKEN}" else (401, {})
        if path == USERINFO:
            claims = {"sub": self.customer["sub"], "accounts": self.accounts, **self.userinfo}
            return (200, claims) if authorization == f"Bearer {CUSTOMER_TOKEN}" else (401, {})
        if path == TOKEN and body.get("grant_type") == "client_credentials":
            self.scopes.append(body.get("scope", ""))
            if not is_authenticated(body, authorization):
                return 401, {"error": "invalid_client"}
            return 200, {
                "access_token": SERVICE_TOKEN,
                "token_type": "Bearer",
                "expires_in": 300,
                **self.service_token,
            }
        return super().answer_to(target, body, authorization)

    def _page(self, target: str) -> tuple[int, dict[str, Any]]:
        said = parse_qs(urlsplit(target).query).get("offset", ["0"])[0]
        offset = int(said) if said.isdecimal() else 0
        if not isinstance(self.accounts, list):
            return 200, {"accounts": self.accounts}
        after = offset + self.page_size
        more = {"nextOffset": str(after)} if after < len(self.accounts) else {}
        return 200, {"page": more, "accounts": self.accounts[offset:after]}
