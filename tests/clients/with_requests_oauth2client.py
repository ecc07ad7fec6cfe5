"""requests_oauth2client: https://guillp.github.io/requests_oauth2client."""

from requests_oauth2client import AuthorizationResponseError, OAuth2Client, OAuth2Error

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
    client = OAuth2Client.from_discovery_endpoint(
        f"{ISSUER}/.well-known/oauth-authorization-server",
        issuer=ISSUER,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        redirect_uri=REDIRECT_URI,
        testing=True,  # http, on this machine
    )
    request = client.authorization_request(scope=SCOPE, provider_id=PROVIDER_ID)
    answer = open_in_browser(request.uri)
    try:
        code = request.validate_callback(answer)
    except AuthorizationResponseError as error:
        tell(error=error.error)
        return
    tokens = client.authorization_code(code)
    tell_tokens(tokens.as_dict())
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
