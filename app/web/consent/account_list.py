"""Finds the customer's list of accounts for a page: in the session, or at the bank."""

from dataclasses import dataclass

from flask import url_for

from app.accounts import AccountsUnavailable
from app.domain.accounts import AccountList
from app.web.consent.open_request import OpenRequest
from app.web.current import services


@dataclass(frozen=True, slots=True)
class AtTheBank:
    """The bank gives the list when the customer signs in: redirect to `address` (302), which leads there.

    The bank's own session mostly answers without a page, and the browser comes back to the request.
    """

    address: str


@dataclass(frozen=True, slots=True)
class NoList:
    """The bank gave no list. `retry` leads to the bank's sign-in once more; None: ask for this page again."""

    retry: str | None


def find_accounts(opened: OpenRequest) -> AccountList | AtTheBank | NoList:
    """The accounts of the customer who is signed in, at a bank whose registration has `accounts`.

    A list that the session has is used for LONGEST_KEPT; reading it takes no round trip of its own. Else the
    bank is asked. Where only its sign-in gives a list, the browser is sent there; where that has brought none
    for this request, or was not finished, there is NoList, and the customer decides whether to try again.
    What was sent from a page must not lead away: `list_at_hand` is for it. Raises StoreUnavailable.
    """
    found = opened.accounts
    if found is not None:
        return found
    provider, customer, session = opened.parties.provider, opened.customer, opened.session
    if provider.accounts is None or customer is None:
        raise ValueError("nobody is signed in, or this bank has no list")
    request_id = opened.pending.request_id
    if provider.accounts.needs_sign_in:
        address = url_for("sign_in.show_sign_in", request_id=request_id, at="accounts")
        if session.has_asked_for_accounts(request_id):
            return NoList(address)
        session.note_asked_for_accounts(request_id)
        return AtTheBank(address)
    try:
        found = services().bank_accounts.find_accounts(provider, customer)
    except AccountsUnavailable:
        return NoList(None)
    session.keep_accounts(provider.provider_id, found)
    return found
