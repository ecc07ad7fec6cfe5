"""The names and the explanations of the data clusters, as lazy strings that are translated once a catalogue.

The English sentences are the msgids. Explanations may have the field `recipient`; no other text has any. They
are true of one account as of all: which ones are shared stands elsewhere on the form.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from flask_babel import get_translations
from flask_babel import lazy_gettext as _l
from markupsafe import Markup, escape

from app.domain.clusters import DataCluster


@dataclass(frozen=True, slots=True)
class ClusterSection:
    """One row of the consent form: a cluster as it is offered.

    In a repeat request it is new, or shared with this recipient already.
    """

    cluster: DataCluster
    is_needed: bool
    is_checked: bool
    is_new: bool = False
    is_shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterWording:
    """A cluster in a customer's words: one line, an explanation, and two lists of short items."""

    name: str
    summary: str
    explanation: str
    shared: tuple[str, ...]
    not_shared: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExplainedSection:
    """A section of the form with its words, and every cluster that it stands for."""

    section: ClusterSection
    words: ClusterWording
    covers: tuple[DataCluster, ...]


_BASIC: Final = ClusterWording(
    name=_l("Basic account details"),
    summary=_l("Name, type and last digits of each account."),
    explanation=_l(
        "The name and type of the accounts you share. It also covers the last digits of the account number."
    ),
    shared=(
        _l("Account name or nickname"),
        _l("Type, such as chequing, savings, credit card or loan"),
        _l("Last digits of the account number"),
        _l("Whether the account is open or closed"),
        # Translators: what kind of money an account holds, such as Canadian dollars.
        _l("Currency"),
    ),
    not_shared=(
        # Translators: how much is in an account.
        _l("Balance"),
        _l("Full account number"),
        _l("Transactions"),
    ),
)

_DETAILED: Final = ClusterWording(
    name=_l("Balances and account terms"),
    summary=_l("How much you have or owe, limits, due dates, rates."),
    explanation=_l(
        "How much is in each account you share, or how much you owe. It also covers credit limits, due "
        "dates and interest rates."
    ),
    shared=(
        _l("Current and available balance"),
        _l("Amount you owe"),
        _l("Credit limit"),
        # Translators: the days on which a payment must be made.
        _l("Due dates"),
        _l("Interest rate"),
        # Translators: points collected with a card.
        _l("Rewards balance"),
    ),
    not_shared=(
        _l("Full account number"),
        _l("Transactions"),
        # Translators: account statements, the documents a bank makes each month.
        _l("Statements"),
    ),
)

# Detailed data contains the basic data: where neither can be left out, they are one thing to the customer.
_BASIC_WITHIN_DETAILED: Final = ClusterWording(
    name=_l("Account details and balances"),
    summary=_l("Name, type, last digits, how much you have or owe, limits, due dates, rates."),
    explanation=_l(
        "The name, type and last digits of the accounts you share. It also covers how much is in each one or "
        "how much you owe, credit limits, due dates and interest rates."
    ),
    shared=_BASIC.shared + _DETAILED.shared,
    not_shared=_DETAILED.not_shared,
)

WORDING: Final[Mapping[DataCluster, ClusterWording]] = {
    DataCluster.ACCOUNT_BASIC: _BASIC,
    DataCluster.ACCOUNT_DETAILED: _DETAILED,
    DataCluster.TRANSACTIONS: ClusterWording(
        # Translators: money that came in or went out of an account; a type of data.
        name=_l("Transactions"),
        summary=_l("Money in and out: dates, amounts, who paid or was paid."),
        explanation=_l(
            "Money that came into or left the accounts you share. It shows dates, amounts, descriptions, and "
            "who paid you or who you paid."
        ),
        shared=(
            # Translators: the day of a transaction.
            _l("Date"),
            # Translators: an amount of money.
            _l("Amount"),
            # Translators: the words on an account statement that say what a transaction was.
            _l("Description"),
            # Translators: the type of a transaction (deposit, payment, ...) and its status (pending, done).
            _l("Type and status"),
            _l("Who sent or got the money"),
        ),
        not_shared=(_l("Permission to make a payment or a transfer"),),
    ),
    DataCluster.STATEMENTS: ClusterWording(
        name=_l("Account statements (PDF)"),
        summary=_l("Your statements. They also show your name, address, balances and transactions."),
        explanation=_l(
            "Copies of the statements of the accounts you share. A statement can show your name, address, "
            "balances and transactions, even if you leave those out here."
        ),
        shared=(_l("Statements, just as you get them"),),
        not_shared=(_l("Statements from other banks"),),
    ),
    DataCluster.INVESTMENTS: ClusterWording(
        # Translators: a type of data.
        name=_l("Investments"),
        summary=_l("What you hold and what it is worth."),
        # Translators: GIC is the Canadian guaranteed investment certificate (CPG).
        explanation=_l(
            "What you hold in the investment accounts you share, such as stocks, funds and GICs. It also "
            "covers what each one is worth."
        ),
        shared=(
            _l("Name and number of units of each holding"),
            _l("Market value"),
            # Translators: what was paid for an investment.
            _l("Cost"),
            # Translators: RRSP and TFSA are Canadian savings plans (REER, CELI).
            _l("Account type, such as RRSP or TFSA"),
            # Translators: orders to buy or sell that are not done yet.
            _l("Open orders"),
        ),
        not_shared=(_l("Permission to buy, sell or move your investments"),),
    ),
    DataCluster.ACCOUNT_PAYMENTS: ClusterWording(
        name=_l("Account numbers for payments"),
        summary=_l("Full numbers, to set up deposits or withdrawals you agree to."),
        explanation=_l(
            "The full account number, transit (branch) number and institution number. %(recipient)s can use "
            "them to set up deposits or withdrawals that you agree to."
        ),
        shared=(
            _l("Full account number"),
            _l("Transit number"),
            _l("Institution number"),
            _l("Whether the account can send or receive money"),
        ),
        not_shared=(
            _l("Your password or PIN"),
            _l("Permission to take money unless you agree"),
        ),
    ),
    DataCluster.CUSTOMER_CONTACT: ClusterWording(
        name=_l("Contact information"),
        summary=_l("Name, email, phone number, mailing address."),
        explanation=_l(
            "How to reach you or your business: name, email, phone number and mailing address. Only what "
            "your bank has on file is shared."
        ),
        shared=(
            # Translators: of a person or a business.
            _l("Name"),
            # Translators: an email address.
            _l("Email"),
            _l("Phone number"),
            _l("Mailing address"),
        ),
        not_shared=(
            _l("Date of birth"),
            _l("Government ID numbers"),
        ),
    ),
    DataCluster.CUSTOMER_PERSONAL: ClusterWording(
        name=_l("Personal information"),
        summary=_l("Full name, date of birth, home address."),
        explanation=_l(
            "Details about you as the owner of the account, such as your full name and date of birth. Only "
            "what your bank has on file is shared."
        ),
        shared=(
            _l("Full name"),
            _l("Date of birth"),
            _l("Home address"),
        ),
        not_shared=(_l("Password, PIN and security answers"),),
    ),
}


def wording() -> Mapping[DataCluster, ClusterWording]:
    """The words for every cluster in the language of this response, ready for HTML."""
    return _translated(get_translations())[0]


def explain(sections: Sequence[ClusterSection]) -> list[ExplainedSection]:
    """`sections` with their words. Basic disappears into detailed where both are needed."""
    words, basic_within_detailed = _translated(get_translations())
    basic, detailed = DataCluster.ACCOUNT_BASIC, DataCluster.ACCOUNT_DETAILED
    is_merged = {basic, detailed} <= {section.cluster for section in sections if section.is_needed}
    explained = []
    for section in sections:
        if not is_merged or section.cluster not in (basic, detailed):
            explained.append(ExplainedSection(section, words[section.cluster], (section.cluster,)))
        elif section.cluster is detailed:
            explained.append(ExplainedSection(section, basic_within_detailed, (basic, detailed)))
    return explained


@lru_cache(maxsize=8)
def _translated(_catalogue: Any) -> tuple[Mapping[DataCluster, ClusterWording], ClusterWording]:
    """All the words, for one catalogue object: some hundred look-ups that need not happen on every page."""
    words = {cluster: _in_words(lazy) for cluster, lazy in WORDING.items()}
    return words, _in_words(_BASIC_WITHIN_DETAILED)


def _in_words(lazy: ClusterWording) -> ClusterWording:
    return ClusterWording(
        name=_text(lazy.name),
        summary=_text(lazy.summary),
        explanation=_text(lazy.explanation),
        shared=tuple(map(_text, lazy.shared)),
        not_shared=tuple(map(_text, lazy.not_shared)),
    )


def _text(lazy: str) -> Markup:
    return escape(str(lazy))
