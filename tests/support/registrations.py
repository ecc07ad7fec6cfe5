"""Registration files: the demo's, the demo's with more customers, and one that production takes."""

import re
from collections.abc import Mapping
from pathlib import Path

from app.domain.tokens import hash_secret
from tests.support.repository import ROOT

DEMO_REGISTRY = ROOT / "registry" / "demo.toml"
HARBOUR = "http://localhost:8002"
"""Where customers of the demo's third bank sign in."""


def with_customers(subjects: Mapping[str, str], *, password: str = "maple-syrup", accounts: int = 1) -> str:
    """The demo's registration with more customers of its first bank: a subject for each user name.

    A customer's display name is Customer- and the user name. Each has so many `accounts`: with one there is
    nothing to choose.
    """

    def listed(subject: str) -> str:
        account = 'category = "DEPOSIT_ACCOUNT", type = "CHECKING", name = "Everyday chequing"'
        return ", ".join(
            f'{{ account_id = "acc-{number}-{subject}", {account}, last_digits = "{number:04}" }}'
            for number in range(accounts)
        )

    lines = [
        f'    {{ user_name = "{name}", password = "{password}", subject = "{subject}", '
        f'display_name = "Customer-{name}", accounts = [{listed(subject)}] }},\n'
        for name, subject in subjects.items()
    ]
    return DEMO_REGISTRY.read_text().replace("customers = [\n", f"customers = [\n{''.join(lines)}", 1)


def with_accounts(source: str = '{ from = "sandbox" }', *, of: str = "1000", text: str | None = None) -> str:
    """`text`, or the demo's registration, in which the bank `of` says where its accounts come from, and how."""
    text = DEMO_REGISTRY.read_text(encoding="utf-8") if text is None else text
    before, start, bank = text.partition(f'provider_id = "{of}"\n')
    registered = re.compile(r"^accounts = .*\n", re.MULTILINE)
    bank, separator, after = bank.partition("[[")
    return f"{before}{start}accounts = {source}\n{registered.sub('', bank)}{separator}{after}"


def with_bank(issuer: str, text: str | None = None) -> str:
    """`text`, or the demo's registration, in which customers of the third bank sign in at `issuer`.

    That server lists no accounts.
    """
    text = DEMO_REGISTRY.read_text(encoding="utf-8") if text is None else text
    return re.sub(r'^accounts = \{ from = "fdx".*\n', "", text, flags=re.MULTILINE).replace(HARBOUR, issuer)


def told_at(address: str, *, of: str = "dc-budget", text: str | None = None) -> str:
    """`text`, or the demo's registration, in which the recipient `of` is sent its notices to `address`."""
    return with_notices(f'{{ address = "{address}" }}', of=of, text=text)


def with_notices(notices: str, *, of: str = "dc-budget", text: str | None = None) -> str:
    """`text`, or the demo's registration, in which the recipient `of` has these `notices` and no others."""
    text = DEMO_REGISTRY.read_text(encoding="utf-8") if text is None else text
    before, start, recipient = text.partition(f'client_id = "{of}"\n')
    recipient, separator, after = recipient.partition("[[")
    recipient = re.sub(r"^notices = .*\n", "", recipient, flags=re.MULTILINE)
    return f"{before}{start}notices = {notices}\n{recipient}{separator}{after}"


def with_bank_told(notices: str = "{}", *, of: str = "1000", text: str | None = None) -> str:
    """`text`, or the demo's registration, in which the bank `of` is told of its consents, as `notices` say."""
    text = DEMO_REGISTRY.read_text(encoding="utf-8") if text is None else text
    start = f'provider_id = "{of}"\n'
    assert start in text
    return text.replace(start, f"{start}notices = {notices}\n", 1)


PRODUCTION_REGISTRY = """
[[providers]]
provider_id = "1000"
name = {{ en = "Maple Credit Union", fr = "Caisse Érable" }}
country = "CA"
colour = "#8c1d2f"
clusters = ["ACCOUNT_BASIC", "TRANSACTIONS"]
audience = "https://api.maple.example"
complaints = {{ en = "https://maple.example/complaints", fr = "https://maple.example/fr/plaintes" }}
sign_in = "oidc"
oidc = {{ issuer = "https://sign-in.maple.example", client_id = "accord", client_secret_file = "{secret_file}" }}

[[recipients]]
client_id = "dc-budget"
secret_sha256 = "{secret_hash}"
name = {{ en = "Budget Compass", fr = "Boussole Budget" }}
legal_name = {{ en = "Budget Compass Technologies Inc.", fr = "Technologies Boussole Budget inc." }}
site = {{ en = "https://budget.example", fr = "https://budget.example/fr" }}
privacy_policy = {{ en = "https://budget.example/privacy", fr = "https://budget.example/fr/confidentialite" }}
terms = {{ en = "https://budget.example/terms", fr = "https://budget.example/fr/conditions" }}
redirect_uris = ["https://budget.example/callback"]
clusters = ["ACCOUNT_BASIC", "TRANSACTIONS"]
needs = ["ACCOUNT_BASIC"]
consent_days = 365
providers = {{ "1000" = "ACTIVE" }}
"""


def write_production_registry(folder: Path) -> Path:
    """A registration in `folder` that production takes: a bank with a sign-in of its own, and one recipient."""
    registry, secret_file = folder / "production.toml", folder / "bank_secret"
    secret_file.write_text("a secret that the bank gave")
    text = PRODUCTION_REGISTRY.format(secret_file=secret_file, secret_hash=hash_secret("budget-secret"))
    registry.write_text(text, encoding="utf-8")
    return registry
