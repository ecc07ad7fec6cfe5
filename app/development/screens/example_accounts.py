"""The accounts of the customer on the screens."""

from typing import Final

from app.development.screens.parties import NOW
from app.domain.accounts import Account, AccountCategory, AccountList, Unshareable

_DEPOSIT = AccountCategory.DEPOSIT_ACCOUNT
_LOC = AccountCategory.LOC_ACCOUNT
_LOAN = AccountCategory.LOAN_ACCOUNT
_INVESTMENT = AccountCategory.INVESTMENT_ACCOUNT


def _account(
    account_id: str,
    category: AccountCategory,
    type: str,  # noqa: A002  # FDX calls it accountType
    name: str,
    last_digits: str,
    *,
    is_joint: bool = False,
    others_are_told: bool = False,
    unshareable: Unshareable | None = None,
) -> Account:
    return Account(
        account_id=account_id,
        category=category,
        type=type,
        name=name,
        last_digits=last_digits,
        is_joint=is_joint,
        others_are_told=others_are_told,
        unshareable=unshareable,
    )


_SHAREABLE = (
    _account("a1", _DEPOSIT, "CHECKING", "Everyday chequing", "4821"),
    _account("a2", _DEPOSIT, "SAVINGS", "Household", "0377", is_joint=True, others_are_told=True),
    _account("a3", _LOC, "CREDITCARD", "Visa", "9012"),
    _account("a4", _LOAN, "MORTGAGE", "", "2201"),
    _account("a5", _INVESTMENT, "TFSA", "", "5540"),
)
_UNSHAREABLE = (
    _account("b1", _DEPOSIT, "SAVINGS", "Old savings", "1180", unshareable=Unshareable.CLOSED),
    _account("b2", _DEPOSIT, "SAVINGS", "Youth savings", "7710", unshareable=Unshareable.NO_RIGHTS),
)
ACCOUNTS: Final = AccountList(_SHAREABLE + _UNSHAREABLE, NOW)
ONE_ACCOUNT: Final = AccountList(_SHAREABLE[:1], NOW)
TWO_ACCOUNTS: Final = AccountList(_SHAREABLE[:2], NOW)
MANY_ACCOUNTS: Final = AccountList(
    tuple(
        _account(f"c{index}", category, type_, f"{name} {index}", f"{1000 + index}", is_joint=index in (3, 4))
        for index, (category, type_, name) in enumerate(
            [(_DEPOSIT, "CHECKING", "Rent of unit")] * 18
            + [(_LOC, "CREDITCARD", "Card for trip")] * 12
            + [(_INVESTMENT, "RRSP", "Plan")] * 10
        )
    )
    + _UNSHAREABLE,
    NOW,
)
HOSTILE_ACCOUNTS: Final = AccountList(
    (
        _account("d1", _DEPOSIT, "CHECKING", "W" * 80, "9999"),
        _account("d2", _DEPOSIT, "CHECKING", "<b>Share</b> & <script>alert(1)</script>", ""),
        _account("d3", _DEPOSIT, "SAVINGS", "حساب التوفير", "0000", is_joint=True),
        _account("d4", _DEPOSIT, "NEWTYPE", "", ""),
    ),
    NOW,
)
