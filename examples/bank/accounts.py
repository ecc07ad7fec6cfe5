"""Accounts and people in the shapes of FDX Core 6. All numbers are made up from the names of the accounts."""

from collections.abc import Mapping
from datetime import date, timedelta
from random import Random
from typing import Any

from examples.bank.customers import Account, Customer

_PRODUCTS = {
    "CHECKING": ("Chequing account", "Compte chèques"),
    "SAVINGS": ("Savings account", "Compte d’épargne"),
    "CREDITCARD": ("Credit card", "Carte de crédit"),
    "MORTGAGE": ("Mortgage", "Prêt hypothécaire"),
    "LINEOFCREDIT": ("Line of credit", "Marge de crédit"),
    "TFSA": ("Tax-free savings account", "Compte d’épargne libre d’impôt"),
    "RRSP": ("Retirement savings plan", "Régime d’épargne-retraite"),
}
_WRAPPERS = {
    "ANNUITY_ACCOUNT": "annuityAccount",
    "COMMERCIAL_ACCOUNT": "commercialAccount",
    "DEPOSIT_ACCOUNT": "depositAccount",
    "DIGITAL_WALLET": "digitalWallet",
    "INSURANCE_ACCOUNT": "insuranceAccount",
    "INVESTMENT_ACCOUNT": "investmentAccount",
    "LOAN_ACCOUNT": "loanAccount",
    "LOC_ACCOUNT": "locAccount",
}
_OTHER_OWNER = {"first": "Robin", "last": "Gagnon"}


def account(customer: Customer, found: Account, *, today: date, language: str) -> dict[str, Any]:
    """An account with everything that the bank knows of it: what may be sent is the guard's affair."""
    product = found.product or _PRODUCTS.get(found.type, (found.type, found.type))[language == "fr"]
    descriptor = {
        "accountCategory": found.category,
        "accountId": found.account_id,
        "accountType": found.type,
        "accountNumber": account_number(found),
        "accountNumberDisplay": f"••{found.last_digits}",
        "productName": product,
        "nickname": found.name,
        "status": found.status,
        "currency": {"currencyCode": "CAD"},
    }
    return {_WRAPPERS[found.category]: {**descriptor, **_details(customer.subject, found, today)}}


def _details(subject: str, found: Account, today: date) -> Mapping[str, Any]:
    lots = Random(f"{subject}/{found.account_id}")  # noqa: S311  # the same each time, on purpose
    amount = round(lots.uniform(400, 9_000), 2)
    due = (today.replace(day=1) + timedelta(days=40)).replace(day=5).isoformat()
    as_of = {"balanceAsOf": f"{today.isoformat()}T12:00:00.000Z"}
    if found.category == "LOC_ACCOUNT":
        owed = round(amount / 4, 2)
        credit = {"creditLine": 12_000, "availableCredit": round(12_000 - owed, 2), "currentBalance": owed}
        return as_of | credit | {"minimumPaymentAmount": 25, "nextPaymentDate": due, "purchasesApr": 20.99}
    if found.category == "LOAN_ACCOUNT":
        owed = round(180_000 + amount * 10, 2)
        rate = {"interestRate": 4.39, "interestRateType": "FIXED", "loanTerm": 300}
        return as_of | rate | {"principalBalance": owed, "nextPaymentAmount": 1620, "nextPaymentDate": due}
    if found.category in ("INVESTMENT_ACCOUNT", "ANNUITY_ACCOUNT"):
        units = lots.randint(80, 600)
        fund = {"holdingName": "Canadian index fund", "holdingType": "MUTUALFUND", "units": units}
        holding = {**fund, "currentUnitPrice": 41.5, "marketValue": units * 41.5}
        cash = round(amount / 10, 2)
        return as_of | {
            "currentValue": units * 41.5 + cash,
            "availableCashBalance": cash,
            "holdings": [holding],
        }
    return as_of | {"currentBalance": amount, "availableBalance": amount, "interestRate": 0.05}


def account_number(found: Account) -> str:
    digits = Random(found.account_id).randrange(10**3, 10**4)  # noqa: S311  # made up
    return f"{digits}{found.last_digits}"


def payment_networks(found: Account) -> list[dict[str, Any]]:
    network = {"bankId": "000199999", "identifier": account_number(found), "identifierType": "ACCOUNT_NUMBER"}
    return [{**network, "type": "CA_ACSS", "transferIn": True, "transferOut": True}]


def person(customer: Customer) -> dict[str, Any]:
    """The customer, in the shape of FDX Customer."""
    first, _, last = customer.name.partition(" ")
    lots = Random(customer.subject)  # noqa: S311  # the same each time, on purpose
    born = date(1960, 1, 1) + timedelta(days=lots.randrange(15_000))
    return {
        "customerId": customer.subject,
        "type": "CONSUMER",
        "name": {"first": first, "last": last},
        "dateOfBirth": born.isoformat(),
        "taxId": f"{lots.randrange(10**8, 10**9)}",  # which is in no allow-list
        **_reachable(lots, first),
    }


def _reachable(lots: Random, first: str) -> dict[str, Any]:
    street = f"{lots.randrange(1, 400)} Maple Street"
    address = {"line1": street, "city": "Winnipeg", "region": "MB", "postalCode": "R3C 0A1", "country": "CA"}
    phone = {"type": "CELL", "country": "1", "number": f"204555{lots.randrange(10_000):04}"}
    return {"addresses": [address], "emails": [f"{first.lower()}@mail.example"], "telephones": [phone]}


def contact(customer: Customer, found: Account) -> dict[str, Any]:
    """Who holds the account, in the shape of FDX AccountContact."""
    who = person(customer)
    relationship = "PRIMARY_JOINT" if found.is_joint else "SOLE_OWNER"
    holders = [{**who, "relationship": relationship}]
    if found.is_joint:
        lots = Random(found.account_id)  # noqa: S311  # the same each time, on purpose
        other = {"customerId": f"other-{found.account_id}", "type": "CONSUMER", "name": _OTHER_OWNER}
        holders.append({**other, **_reachable(lots, "robin"), "relationship": "SECONDARY_JOINT"})
    return {"holders": holders, **{name: who[name] for name in ("addresses", "emails", "telephones")}}
