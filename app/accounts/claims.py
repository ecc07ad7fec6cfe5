"""The list of accounts as a claim of the sign-in, in the ID token or at the UserInfo endpoint."""

from app.accounts import AccountsUnavailable
from app.domain.account_sources import ClaimPlace, ClaimSource
from app.outgoing.deadline import Deadline
from app.outgoing.http import get_json
from app.sign_in import BankAnswer


def claimed_accounts(source: ClaimSource, answer: BankAnswer, *, deadline: Deadline) -> object:
    """The value of the claim. Raises AccountsUnavailable, and CallFailed."""
    if source.where is ClaimPlace.ID_TOKEN:
        return answer.claims.get(source.claim)
    if answer.userinfo_endpoint is None or answer.access_token is None:
        raise AccountsUnavailable("no_userinfo")
    claims = get_json(
        answer.userinfo_endpoint,
        deadline=deadline,
        headers={"Authorization": f"Bearer {answer.access_token}"},
    )
    if claims.get("sub") != answer.subject:  # of somebody else (OpenID Connect Core 1.0, 5.3.2)
        raise AccountsUnavailable("userinfo_of_another")
    return claims.get(source.claim)
