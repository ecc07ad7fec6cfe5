"""Authlib's client for requests: https://docs.authlib.org."""

import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session

from tests.clients.conversation import (
    CLIENT_ID,
    CLIENT_SECRET,
    ISSUER,
    PROVIDER_ID,
    REDIRECT_URI,
    SCOPE,
    open_in_browser,
    tell,
    tell_tokens,
)


def main() -> None:
    server = requests.get(f"{ISSUER}/.well-known/oauth-authorization-server", timeout=10).json()
    session = OAuth2Session(
        CLIENT_ID,
        CLIENT_SECRET,
        scope=SCOPE,
        redirect_uri=REDIRECT_URI,
        code_challenge_method="S256",
        token_endpoint=server["token_endpoint"],
    )
    verifier = "a-verifier-of-at-least-forty-three-characters"
    url, state = session.create_authorization_url(
        server["authorization_endpoint"], provider_id=PROVIDER_ID, code_verifier=verifier
    )
    answer = open_in_browser(url)
    try:
        # It takes no notice of an error in the answer: it finds no code, and asks for a token of its own.
        session.fetch_token(authorization_response=answer, state=state, code_verifier=verifier)
    except OAuthError as error:
        tell(error=error.error)
        return
    tell_tokens(session.token)
    for _ in range(2):
        session.refresh_token()
        tell_tokens(session.token)
    refresh_token = session.token["refresh_token"]
    revoked = session.revoke_token(  # type: ignore[no-untyped-call]  # its stub says nothing
        server["revocation_endpoint"], refresh_token, "refresh_token"
    )
    revoked.raise_for_status()
    tell(revoked=True)
    try:
        session.refresh_token(refresh_token=refresh_token)
    except OAuthError as error:
        tell(error=error.error)


if __name__ == "__main__":
    main()
