"""requests-oauthlib: https://requests-oauthlib.readthedocs.io. Started with OAUTHLIB_RELAX_TOKEN_SCOPE=1:
otherwise it takes a customer who shares less than was asked for, for a fault.
"""

import requests
from oauthlib.oauth2 import OAuth2Error
from requests_oauthlib import OAuth2Session

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
    own = (CLIENT_ID, CLIENT_SECRET)
    session = OAuth2Session(CLIENT_ID, scope=SCOPE.split(), redirect_uri=REDIRECT_URI, pkce="S256")
    url, _state = session.authorization_url(server["authorization_endpoint"], provider_id=PROVIDER_ID)
    answer = open_in_browser(url)
    try:
        session.fetch_token(
            server["token_endpoint"], authorization_response=answer, client_secret=CLIENT_SECRET
        )
    except OAuth2Error as error:
        tell(error=error.error)
        return
    tell_tokens(session.token)
    for _ in range(2):
        session.refresh_token(server["token_endpoint"], auth=own)  # it names the scope first asked for
        tell_tokens(session.token)
    refresh_token = session.token["refresh_token"]
    # It knows no revocation.
    requests.post(
        server["revocation_endpoint"], data={"token": refresh_token}, auth=own, timeout=10
    ).raise_for_status()
    tell(revoked=True)
    try:
        session.refresh_token(server["token_endpoint"], auth=own)
    except OAuth2Error as error:
        tell(error=error.error)


if __name__ == "__main__":
    main()
