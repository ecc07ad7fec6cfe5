"""requests_oauth2client, the way of FAPI 2.0: private_key_jwt, a pushed request, DPoP.

https://guillp.github.io/requests_oauth2client
"""

import json
from pathlib import Path

import requests
from requests_oauth2client import AuthorizationResponseError, OAuth2Client, OAuth2Error, PrivateKeyJwt

from tests.clients.conversation import (
    CLIENT_ID,
    ISSUER,
    PROVIDER_ID,
    REDIRECT_URI,
    SCOPE,
    open_in_browser,
    tell,
    tell_tokens,
)

KEYS = Path(__file__).resolve().parents[2] / "registry" / "demo_fapi_key.json"


def main() -> None:
    (key,) = json.loads(KEYS.read_text(encoding="utf-8"))["keys"]
    client = OAuth2Client.from_discovery_endpoint(
        f"{ISSUER}/.well-known/oauth-authorization-server",
        issuer=ISSUER,
        # Its own default is the address of the endpoint, which an issuer that takes FAPI 2.0 refuses.
        auth=PrivateKeyJwt(CLIENT_ID, key, aud=ISSUER),
        redirect_uri=REDIRECT_URI,
        dpop_bound_access_tokens=True,
        testing=True,  # http, on this machine
    )
    request = client.authorization_request(scope=SCOPE, provider_id=PROVIDER_ID)
    pushed = client.pushed_authorization_request(request)
    answer = open_in_browser(pushed.uri)
    try:
        code = request.validate_callback(answer)
    except AuthorizationResponseError as error:
        tell(error=error.error)
        return
    tokens = client.authorization_code(code)
    tell_tokens(tokens.as_dict())
    listed = requests.get(f"{ISSUER}/api/v1/consents", auth=tokens, timeout=10)
    if listed.status_code != requests.codes.ok or tokens.token_type != "DPoP":
        raise SystemExit("the token is not bound to the key")
    for _ in range(2):
        tokens = client.refresh_token(tokens)
        tell_tokens(tokens.as_dict())
    tell(revoked=client.revoke_refresh_token(tokens))
    try:
        client.refresh_token(tokens)
    except OAuth2Error as error:
        tell(error=getattr(error, "error", str(error)))


if __name__ == "__main__":
    main()
