"""Which accounts an approval would share: those that were chosen, or those that a renewal keeps."""

from dataclasses import dataclass, replace

from flask import get_template_attribute
from markupsafe import Markup

from app.domain.account_choice import accounts_named, choose, is_enough, offer_for
from app.domain.accounts import AccountList, ChosenAccounts, hash_of
from app.domain.clusters import Scope
from app.domain.consent import ConsentOffer
from app.domain.pending_request import PendingRequest
from app.web.consent.account_list import AtTheBank, NoList, find_accounts
from app.web.consent.open_request import OpenRequest
from app.web.consent.view import Banner, View
from app.web.edge import problems
from app.web.text.account_words import account_lines


class RedirectInstead(Exception):
    """The page cannot be shown yet: redirect the browser to `address`."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.address = address


@dataclass(frozen=True, slots=True)
class AccountsOnForm:
    """The accounts that the form names. `chosen` is None where the bank's consents are not by account."""

    chosen: ChosenAccounts | None = None

    @property
    def are_chosen(self) -> bool:
        """Whether the customer had a choice: with one account, or without accounts, there is none."""
        return self.chosen is not None and self.chosen.offered > 1

    @property
    def accounts_hash(self) -> str:
        """The hash of the accounts as they are shown; empty where none are."""
        return "" if self.chosen is None else hash_of(self.chosen.chosen)

    def offer(self, offer: ConsentOffer) -> ConsentOffer:
        """What of `offer` these accounts can give."""
        return offer if self.chosen is None else offer_for(offer, self.chosen.chosen)

    def absent(self, offer: ConsentOffer) -> Scope:
        """What of `offer` none of these accounts has."""
        left = self.offer(offer)
        return (offer.needed | offer.optional) - (left.needed | left.optional)

    def fact(self, request_id: str, view: View) -> Markup:
        """The accounts as a fact of the form, with a way back to their choice."""
        if self.chosen is None:
            return Markup()
        address = view.accounts_address(request_id) if self.are_chosen else None
        fact = get_template_attribute("macros/account.html", "chosen_fact")
        return Markup(fact(account_lines(self.chosen.chosen), address))  # noqa: S704  # a template's


def list_of_accounts(opened: OpenRequest) -> AccountList | None:
    """The accounts that the customer can choose from; None at a bank whose consents are not by account.

    Raises RedirectInstead where the bank gives its list at the sign-in, and Problem (503) where it gives
    none.
    """
    if opened.parties.provider.accounts is None:
        return None
    match find_accounts(opened):
        case AtTheBank(address):
            raise RedirectInstead(address)
        case NoList(retry):
            raise problems.accounts_unavailable(
                opened.parties.client, opened.parties.provider, opened.denied_uri, retry=retry
            )
        case found:
            return found


def list_at_hand(opened: OpenRequest, view: View, *, may_ask: bool = True) -> AccountList | None:
    """The same list for a form that was sent, which must not lead the customer to the bank.

    `may_ask` says whether the bank may be asked when the list has run out, where that needs no sign-in.
    Raises RedirectInstead where there is no list: to the form, which says so, or leads to the bank.
    """
    registered = opened.parties.provider.accounts
    if registered is None:
        return None
    found: AccountList | AtTheBank | NoList | None = opened.accounts
    if found is None and may_ask and not registered.needs_sign_in:
        found = find_accounts(opened)
    if not isinstance(found, AccountList):
        raise RedirectInstead(replace(view, banner=Banner.CHANGED).address(opened.pending.request_id))
    return found


def accounts_chosen(opened: OpenRequest, listed: AccountList | None, view: View) -> AccountsOnForm:
    """The accounts that the customer has chosen. Raises RedirectInstead where they must choose, or again."""
    pending, offer = opened.pending, opened.parties.offer
    if listed is None:
        return AccountsOnForm()
    if not can_be_asked(listed, offer):
        raise _to_choose(pending, view)
    if listed.has_one_choice:
        return AccountsOnForm(choose(listed, listed.shareable))
    if not pending.has_chosen_accounts:
        raise _to_choose(pending, view)
    accounts = accounts_named(listed, pending.checked_accounts)
    if len(accounts) < len(pending.checked_accounts) or not accounts:
        raise _to_choose(pending, view, Banner.CHANGED)
    if not is_enough(offer, accounts):
        raise _to_choose(pending, view, Banner.INVESTMENTS)
    return AccountsOnForm(choose(listed, accounts))


def _to_choose(pending: PendingRequest, view: View, banner: Banner | None = None) -> RedirectInstead:
    """The way to the page of the accounts, with the reason why they are asked for again."""
    return RedirectInstead(View(view.repeat, banner).accounts_address(pending.request_id))


def can_be_asked(listed: AccountList, offer: ConsentOffer) -> bool:
    """Whether any account can be shared, and together they have what the recipient needs."""
    return bool(listed.shareable) and is_enough(offer, listed.shareable)
