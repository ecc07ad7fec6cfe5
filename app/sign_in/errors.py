"""The errors of a bank's server that have a name in the specifications."""

NOBODY = {
    "access_denied",
    "login_required",
    "interaction_required",
    "consent_required",
    "account_selection_required",
}
"""Those that say that nobody signed in (RFC 6749 4.1.2.1, OpenID Connect Core 1.0, 3.1.2.6)."""

_OTHERS = {
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "invalid_scope",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_response_type",
    "server_error",
    "temporarily_unavailable",
}


def known_error(error: object) -> str:
    """The error itself if it has a name, which can stand in a log; else `unknown_error`.

    Anybody may have written it.
    """
    is_known = isinstance(error, str) and error in NOBODY | _OTHERS
    return str(error) if is_known else "unknown_error"
