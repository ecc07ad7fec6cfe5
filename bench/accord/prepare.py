"""Makes what Accord needs for a benchmark: a registration with a customer for each browser, keys, a ledger.

`python prepare.py FOLDER` in Accord's own environment; ACCORD_LEDGER_URL says where the ledger is. BENCH_CLIENT_JWK is the
public key of a recipient that signs, BENCH_BANK_PORT where the bank's own sign-in answers.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from app.domain.tokens import hash_secret
from app.stores.key_rotation import generate_signing_keys
from app.stores.ledger.migrations import upgrade

BROWSERS = 128
SECRET = "bench-secret-0123456789abcdef0123456789"
CLUSTERS = (
    '["ACCOUNT_BASIC", "ACCOUNT_DETAILED", "ACCOUNT_PAYMENTS", "INVESTMENTS", '
    '"STATEMENTS", "CUSTOMER_CONTACT", "CUSTOMER_PERSONAL", "TRANSACTIONS"]'
)


ACCOUNTS = 10
"""Of each customer of the second bank: as many as somebody has who has many."""


def customers(accounts: int) -> str:
    """A customer for each browser, with so many accounts."""
    listed = ", ".join(
        f'{{ account_id = "acc-N-{n}", category = "DEPOSIT_ACCOUNT", type = "SAVINGS", name = "Savings {n}", '
        f'last_digits = "{1000 + n}" }}'
        for n in range(accounts)
    )
    more = f", accounts = [{listed}]" if accounts else ""
    return ",\n".join(
        f'    {{ user_name = "user{n}", password = "maple-syrup", subject = "u-{n}", display_name = "User {n}"'
        f"{more.replace('acc-N', f'acc-{n}')} }}"
        for n in range(BROWSERS)
    )


def sandbox(accounts: int) -> str:
    """How customers of a bank sign in here, and what accounts they have, if any."""
    source = 'accounts = { from = "sandbox" }' if accounts else ""
    return f"""
sign_in = "sandbox"
{source}
customers = [
{customers(accounts)},
]
"""


def own_sign_in(port: str) -> str:
    """How they sign in at the bank's own server."""
    server = (
        f'issuer = "http://localhost:{port}", client_id = "accord", demo_client_secret = "bench-bank-secret"'
    )
    return f"""
sign_in = "oidc"
oidc = {{ {server} }}
"""


def bank(provider_id: str, sign_in: str) -> str:
    return f"""
[[providers]]
provider_id = "{provider_id}"
name = {{ en = "Maple Credit Union", fr = "Caisse Érable" }}
country = "CA"
logo = "maple.svg"
colour = "#8c1d2f"
clusters = {CLUSTERS}
audience = "https://api.maple.example"
complaints = {{ en = "https://maple.example/complaints", fr = "https://maple.example/fr/plaintes" }}
{sign_in}
"""


def recipient(client_id: str, credentials: str) -> str:
    """A recipient that may ask every bank for everything, and is known by its `credentials`."""
    return f"""
[[recipients]]
client_id = "{client_id}"
{credentials}
demo = true
name = {{ en = "Budget Compass", fr = "Boussole Budget" }}
legal_name = {{ en = "Budget Compass Technologies Inc.", fr = "Technologies Boussole Budget inc." }}
site = {{ en = "https://budget.example", fr = "https://budget.example/fr" }}
privacy_policy = {{ en = "https://budget.example/privacy", fr = "https://budget.example/fr/confidentialite" }}
terms = {{ en = "https://budget.example/terms", fr = "https://budget.example/fr/conditions" }}
logo = "budget.svg"
redirect_uris = ["https://client.example/cb"]
clusters = {CLUSTERS}
needs = ["ACCOUNT_BASIC"]
consent_days = 365
history_months = 24
providers = {{ "1000" = "ACTIVE", "2000" = "ACTIVE", "3000" = "ACTIVE" }}

[recipients.purpose]
en = "To show all your accounts in one place and help you plan your spending."
fr = "Pour montrer tous vos comptes au même endroit et vous aider à planifier vos dépenses."
"""


def registration(jwk: Mapping[str, str] = MappingProxyType({}), *, bank_port: str = "7900") -> str:
    """Three banks, of which the second lists accounts and the third signs its customers in itself, and the recipient.

    With a `jwk` there is a second recipient, of the profile of FAPI 2.0, whose public key that is.
    """
    banks = [
        bank("1000", sandbox(0)),
        bank("2000", sandbox(ACCOUNTS)),
        bank("3000", own_sign_in(bank_port)),
    ]
    recipients = [recipient("bench-client", f'secret_sha256 = "{hash_secret(SECRET)}"')]
    if jwk:
        members = {**jwk, "kid": "bench-1", "use": "sig", "alg": "ES256"}
        key = ", ".join(f'{name} = "{value}"' for name, value in members.items())
        recipients.append(recipient("bench-fapi", f'profile = "fapi2"\njwks = {{ keys = [{{ {key} }}] }}'))
    return "".join([*banks, *recipients])


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    jwk = json.loads(os.environ["BENCH_CLIENT_JWK"])
    registered = registration(jwk, bank_port=os.environ["BENCH_BANK_PORT"])
    (folder / "registry.toml").write_text(registered, encoding="utf-8")
    if not (folder / "keys.json").exists():
        generate_signing_keys(folder / "keys.json")
    upgrade(os.environ["ACCORD_LEDGER_URL"])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
