"""The form of the accounts as it was sent."""

from flask import request

from app.domain.account_choice import AccountKind, accounts_at, kind_of
from app.domain.accounts import Account, AccountList
from app.web.edge.forms import ScreenForm

_KINDS = {kind.value: kind for kind in AccountKind}


class AccountsForm(ScreenForm):
    """The form of the accounts: a box for each, whose value is its position in the list that was shown.

    The token has the hash of that list, so that a position means what was on the screen.
    """

    def checked(self, listed: AccountList) -> tuple[Account, ...]:
        """The accounts whose boxes are checked. Positions that are unknown or repeated do not count."""
        return accounts_at(listed, request.form.getlist("account"))

    @property
    def denies(self) -> bool:
        """Whether the button was “Do not share”."""
        return request.form.getlist("go") == ["deny"]

    @property
    def continues(self) -> bool:
        """Whether the button was “Continue”, which the Enter key presses, too."""
        return request.form.getlist("go") == ["next"]

    @property
    def checks_at_once(self) -> bool:
        """Whether the button was one that checks or unchecks many boxes, in a browser that runs no script."""
        return request.form.get("check", "") in {"all", "none", *_KINDS}

    def checked_at_once(self, listed: AccountList) -> tuple[Account, ...]:
        """The accounts as that button leaves them: all, none, or with all of one kind."""
        which = request.form.get("check", "")
        if which == "none":
            return ()
        if which == "all":
            return listed.shareable
        before = {account.account_id for account in self.checked(listed)}
        return tuple(
            account
            for account in listed.shareable
            if account.account_id in before or kind_of(account) is _KINDS[which]
        )
