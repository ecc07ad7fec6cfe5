"""Harbour Trust's customers and their accounts, which its sign-in and its API (examples/bank) both know."""

from hashlib import sha256

CUSTOMERS = {"alex": "Alex Tremblay", "sam": "Sam Nguyen"}
"""The names of those whom its page offers, by their `sub`."""

_OF_EVERYBODY = (
    ("chequing", "DEPOSIT_ACCOUNT", "CHECKING", "Everyday chequing", ""),
    ("savings", "DEPOSIT_ACCOUNT", "SAVINGS", "Savings", ""),
    ("travel", "DEPOSIT_ACCOUNT", "SAVINGS", "Savings", "US dollar savings"),
    ("card", "LOC_ACCOUNT", "CREDITCARD", "Credit card", ""),
    ("mortgage", "LOAN_ACCOUNT", "MORTGAGE", "Mortgage", ""),
    ("rrsp", "INVESTMENT_ACCOUNT", "RRSP", "RRSP", ""),
)


def accounts_of(subject: str) -> list[dict[str, str]]:
    """The accounts of a customer, with the keys that accounts have in the registration file."""
    accounts = []
    for word, category, kind, name, product in _OF_EVERYBODY:
        digest = sha256(f"{subject}/{word}".encode()).hexdigest()
        digits = f"{int(digest, 16) % 10_000:04}"
        keys = ("account_id", "category", "type", "name", "product", "last_digits")
        values = (f"acc-harbour-{digest[:12]}", category, kind, name, product, digits)
        accounts.append(dict(zip(keys, values, strict=True)))
    return accounts
