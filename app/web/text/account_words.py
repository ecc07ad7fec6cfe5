"""The words for accounts: their kinds and their types, and an account as a line of a page."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from flask_babel import lazy_gettext as _l

from app.domain.account_choice import AccountKind, kind_of
from app.domain.accounts import Account

KINDS: Final = {
    # Translators: a kind of accounts, above a list of them.
    AccountKind.DEPOSIT: _l("Chequing and savings"),
    # Translators: a kind of accounts, above a list of them.
    AccountKind.CARD: _l("Credit cards"),
    # Translators: a kind of accounts, above a list of them.
    AccountKind.LOAN: _l("Loans and mortgages"),
    # Translators: a kind of accounts, above a list of them.
    AccountKind.INVESTMENT: _l("Investments"),
    # Translators: a kind of accounts, above a list of them.
    AccountKind.OTHER: _l("Other accounts"),
}
_TYPES: Final = {
    # Translators: a type of account, which stands for its name where it has none.
    "CHECKING": _l("Chequing account"),
    # Translators: a type of account, which stands for its name where it has none.
    "SAVINGS": _l("Savings account"),
    # Translators: a type of account, which stands for its name where it has none.
    "CREDITCARD": _l("Credit card"),
    # Translators: a type of account, which stands for its name where it has none.
    "LINEOFCREDIT": _l("Line of credit"),
    # Translators: a type of account, which stands for its name where it has none.
    "HOMELINEOFCREDIT": _l("Home equity line of credit"),
    # Translators: a type of account, which stands for its name where it has none.
    "LOAN": _l("Loan"),
    # Translators: a type of account, which stands for its name where it has none.
    "MORTGAGE": _l("Mortgage"),
    # Translators: a registered account (Canada): a tax-free savings account.
    "TFSA": _l("TFSA"),
    # Translators: a registered account (Canada): a registered retirement savings plan.
    "RRSP": _l("RRSP"),
    # Translators: a registered account (Canada): a first home savings account.
    "FHSA": _l("FHSA"),
    # Translators: a registered account (Canada): a registered education savings plan.
    "RESP": _l("RESP"),
}
_OTHER_TYPE: Final = {
    # Translators: an account of which no more is known than that it belongs to this kind.
    AccountKind.DEPOSIT: _l("Account"),
    AccountKind.CARD: _TYPES["CREDITCARD"],
    AccountKind.LOAN: _TYPES["LOAN"],
    # Translators: an account of which no more is known than that it belongs to this kind.
    AccountKind.INVESTMENT: _l("Investment account"),
    AccountKind.OTHER: _l("Account"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLine:
    """An account as a line of a page. `position` is that of its box; None where it has none."""

    account: Account
    kind: AccountKind
    position: int | None = None
    is_checked: bool = False
    is_shared: bool = False

    @property
    def type_words(self) -> str:
        """What an account without a name is called."""
        return str(_TYPES.get(self.account.type, _OTHER_TYPE[self.kind]))


def account_lines(
    accounts: Sequence[Account],
    *,
    have_boxes: bool = False,
    checked: Collection[Account] = (),
    shared: Callable[[Account], bool] = lambda _: False,
) -> list[AccountLine]:
    """The lines of `accounts`, in their order."""
    return [
        AccountLine(
            account=account,
            kind=kind_of(account),
            position=position if have_boxes else None,
            is_checked=account in checked,
            is_shared=shared(account),
        )
        for position, account in enumerate(accounts)
    ]
