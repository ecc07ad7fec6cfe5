"""How Accord learns of a bank's accounts is registered in one of four ways, each with its faults."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.domain.account_sources import (
    AccountsRegistration,
    ClaimPlace,
    ClaimSource,
    CustomerSource,
    SandboxSource,
    ServiceSource,
)
from app.domain.accounts import Account, AccountCategory, Unshareable
from app.domain.registry import DataProvider, SandboxCustomer
from app.domain.registry_changes import changes_between
from app.registration.file import RegistryError, read_registry
from tests.support.registrations import DEMO_REGISTRY, write_production_registry

SECRET = "a secret of the tests"
SANDBOX = 'accounts = { from = "sandbox" }'
CLAIM = 'accounts = { from = "claim", claim = "accounts", where = "userinfo" }'
CUSTOMER = 'accounts = { from = "fdx", as = "customer", address = "https://api.bank.example/fdx/v6/accounts?resultType=lightweight", scopes = ["accounts"] }'
SERVICE = """
[providers.accounts]
from = "fdx"
as = "service"
address = "https://api.bank.example/customers/{subject}/accounts"
token_address = "https://login.bank.example/token"
client_id = "accord"
client_secret_env = "BANK_SECRET"
"""

Register = Callable[..., Path]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BANK_SECRET", SECRET)


@pytest.fixture
def register(tmp_path: Path) -> Register:
    """Writes a registration whose one bank has these `accounts`; it takes what production does."""

    def write(accounts: str, *, sign_in: str = "oidc") -> Path:
        path = write_production_registry(tmp_path)
        text = path.read_text(encoding="utf-8")
        oidc = next(line for line in text.splitlines() if line.startswith("oidc = "))
        text = text.replace(oidc, f"{oidc if sign_in == 'oidc' else ''}\n{accounts}\n")
        path.write_text(text.replace('sign_in = "oidc"', f'sign_in = "{sign_in}"'), encoding="utf-8")
        return path

    return write


def bank_in(path: Path, *, allow_demo: bool = False) -> DataProvider:
    return read_registry(path, allow_demo=allow_demo).providers["1000"]


def faults_of(path: Path, *, allow_demo: bool = True) -> list[str]:
    """Each fault with its place and reason; every one of them at the line where the accounts are."""
    with pytest.raises(RegistryError) as raised:
        read_registry(path, allow_demo=allow_demo)
    lines = path.read_text(encoding="utf-8").splitlines()
    faults = [fault.removeprefix(f"{path}:") for fault in raised.value.faults]
    for fault in faults:
        line = lines[int(fault.partition(":")[0]) - 1]
        assert line.startswith(("accounts =", "[providers.accounts]", "customers =", "sign_in =")), line
    return [fault.partition(": ")[2] for fault in faults]


def test_without_accounts_a_consent_is_for_all_of_them(register: Register) -> None:
    assert bank_in(register("")).accounts is None


@pytest.mark.parametrize(
    ("accounts", "source"),
    [
        (CLAIM, ClaimSource("accounts", ClaimPlace.USERINFO)),
        (CLAIM.replace("userinfo", "id_token"), ClaimSource("accounts", ClaimPlace.ID_TOKEN)),
        (
            CUSTOMER,
            CustomerSource("https://api.bank.example/fdx/v6/accounts?resultType=lightweight", ("accounts",)),
        ),
        (
            SERVICE,
            ServiceSource(
                address="https://api.bank.example/customers/{subject}/accounts",
                token_address="https://login.bank.example/token",
                client_id="accord",
                client_secret=SECRET,
            ),
        ),
    ],
)
def test_each_way_is_registered_with_what_it_needs(
    register: Register, accounts: str, source: ClaimSource | CustomerSource | ServiceSource
) -> None:
    assert bank_in(register(accounts)).accounts == AccountsRegistration(source)


def test_accounts_of_the_sandbox_are_for_development(register: Register) -> None:
    path = register(f"{SANDBOX}\ncustomers = []", sign_in="sandbox")
    assert bank_in(path, allow_demo=True).accounts == AccountsRegistration(SandboxSource())
    assert faults_of(path, allow_demo=False) == [
        "providers[1000].sign_in: sandbox sign-in does not work in production",
        "providers[1000].accounts.from: the sandbox does not work in production",
    ]


def test_a_bank_may_withhold_whole_categories(register: Register) -> None:
    found = bank_in(
        register(CLAIM.replace("}", ', withheld_categories = ["LOAN_ACCOUNT", "INSURANCE_ACCOUNT"] }'))
    )
    assert found.accounts is not None
    assert found.accounts.withheld_categories == {
        AccountCategory.LOAN_ACCOUNT,
        AccountCategory.INSURANCE_ACCOUNT,
    }


PLACE = "providers[1000].accounts"


@pytest.mark.parametrize(
    ("accounts", "faults"),
    [
        ("accounts = 5", [f"{PLACE}: must be a table"]),
        ("accounts = {}", [f"{PLACE}: needs the key from"]),
        ('accounts = { from = "file" }', [f"{PLACE}: has a key from that is none of 'sandbox', 'claim', 'fdx'"]),
        ('accounts = { from = "fdx" }', [f"{PLACE}: needs the key as"]),
        ('accounts = { from = "fdx", as = "bank" }', [f"{PLACE}: has a key as that is none of 'customer', 'service'"]),
        ('accounts = { from = "fdx", as = "customer" }', [f"{PLACE}.address: is missing"]),
        (CUSTOMER.replace("https://api", "http://api"), [f"{PLACE}.address: must be an https URL, or http on loopback"]),
        (CUSTOMER.replace("https://api", "https://a@api"), [f"{PLACE}.address: has user information"]),
        (CUSTOMER.replace("lightweight", "a#b"), [f"{PLACE}.address: has a fragment, or a character that does not belong in a URL"]),
        (CUSTOMER.replace("fdx/v6", "{subject}"), [f"{PLACE}.address: has a fragment, or a character that does not belong in a URL"]),
        (CUSTOMER.replace('["accounts"]', '["a", "a"]'), [f"{PLACE}.scopes: names something twice"]),
        (CUSTOMER.replace("scopes", "client_id"), [f"{PLACE}.client_id: is not known here"]),
        ('accounts = { from = "claim" }', [f"{PLACE}.claim: is missing", f"{PLACE}.where: is missing"]),
        (CLAIM.replace("userinfo", "cookie"), [f"{PLACE}.where: must be one of 'id_token' or 'userinfo'"]),
        (CLAIM.replace('"accounts"', '""'), [f"{PLACE}.claim: must have at least 1 character"]),
        (CLAIM.replace("}", ', withheld_categories = ["CARS"] }'), [f"{PLACE}.withheld_categories[0]: must be one of {', '.join(repr(str(each)) for each in list(AccountCategory)[:-1])} or 'LOC_ACCOUNT'"]),
        (CLAIM.replace("}", ', withheld_categories = ["LOC_ACCOUNT", "LOC_ACCOUNT"] }'), [f"{PLACE}.withheld_categories: names something twice"]),
        (SERVICE.replace("{subject}", "all"), [f"{PLACE}.address: must have {{subject}} once, as a whole segment of its path"]),
        (SERVICE.replace("{subject}", "c-{subject}"), [f"{PLACE}.address: must have {{subject}} once, as a whole segment of its path"]),
        (SERVICE.replace("{subject}", "{subject}/{subject}"), [f"{PLACE}.address: must have {{subject}} once, as a whole segment of its path"]),
        (SERVICE.replace("customers/{subject}/accounts", "accounts?of={subject}"), [f"{PLACE}.address: must have {{subject}} once, as a whole segment of its path"]),
        (SERVICE.replace("api.bank.example/customers/{subject}", "{subject}"), [f"{PLACE}.address: must have {{subject}} once, as a whole segment of its path"]),
        (SERVICE.replace("https://login", "http://login"), [f"{PLACE}.token_address: must be an https URL, or http on loopback"]),
        (SERVICE.replace('client_id = "accord"', ""), [f"{PLACE}.client_id: is missing"]),
        (SERVICE.replace('client_secret_env = "BANK_SECRET"', ""), [f"{PLACE}: must have either client_secret_env or client_secret_file"]),
        (SERVICE.replace('client_secret_env = "BANK_SECRET"', 'client_secret = "in the open"'), [f"{PLACE}.client_secret: is not known here", f"{PLACE}: must have either client_secret_env or client_secret_file"]),
        (SANDBOX, [f'{PLACE}: belongs to sign_in = "sandbox"']),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_place_and_reason(
    register: Register, accounts: str, faults: list[str]
) -> None:
    assert faults_of(register(accounts)) == faults


@pytest.mark.parametrize("accounts", [CLAIM, CUSTOMER])
def test_what_a_sign_in_brings_needs_the_banks_own(register: Register, accounts: str) -> None:
    path = register(f"{accounts}\ncustomers = []", sign_in="sandbox")
    assert faults_of(path) == [f'{PLACE}: belongs to sign_in = "oidc"']


def test_a_service_can_tell_the_accounts_of_test_customers_too(register: Register) -> None:
    path = register(f"customers = []\n{SERVICE}", sign_in="sandbox")
    assert bank_in(path, allow_demo=True).accounts is not None


def test_http_is_for_development(register: Register) -> None:
    at_home = CUSTOMER.replace("https://api.bank.example", "http://localhost:8003")
    assert bank_in(register(at_home), allow_demo=True).accounts is not None
    assert faults_of(register(at_home), allow_demo=False) == [
        f"{PLACE}.address: http does not work in production"
    ]
    service = SERVICE.replace("https://login.bank.example", "HTTP://localhost:8003").replace(
        'client_secret_env = "BANK_SECRET"', 'demo_client_secret = "harbour-demo-secret"'
    )
    assert faults_of(register(service), allow_demo=False) == [
        f"{PLACE}.token_address: http does not work in production",
        f"{PLACE}.demo_client_secret: a demo secret does not work in production",
    ]


def test_a_secret_that_cannot_be_read_takes_that_one_bank_out(register: Register) -> None:
    registry = read_registry(register(SERVICE.replace("BANK_SECRET", "NOWHERE")), allow_demo=False)
    assert registry.providers["1000"].is_left_out
    assert registry.left_out["1000"].endswith(
        f": {PLACE}.client_secret_env: names an environment variable that is not set, or is empty"
    )


def test_no_secret_is_in_a_printed_registration(register: Register) -> None:
    assert SECRET not in repr(bank_in(register(SERVICE)))


def customers(accounts: str) -> str:
    return f"""{SANDBOX}
customers = [{{ user_name = "alex", password = "p", subject = "s", display_name = "Alex", accounts = [
    {accounts}
] }}]"""


ACCOUNT = '{ account_id = "acc-1", category = "DEPOSIT_ACCOUNT", type = "CHECKING", name = "Everyday" }'


def test_a_test_customer_has_accounts(register: Register) -> None:
    other = (
        '{ account_id = "acc-2", category = "LOC_ACCOUNT", type = "CREDITCARD", name = "Card", product = "Gold", '
        'last_digits = "00X1", holder = "Sam", joint = true, others_are_told = true, unshareable = "CLOSED" }'
    )
    path = register(customers(f"{ACCOUNT}, {other}"), sign_in="sandbox")
    assert bank_in(path, allow_demo=True).sandbox_customers == (
        SandboxCustomer(
            user_name="alex",
            password="p",
            subject="s",
            display_name="Alex",
            accounts=(
                Account(
                    account_id="acc-1",
                    category=AccountCategory.DEPOSIT_ACCOUNT,
                    type="CHECKING",
                    name="Everyday",
                ),
                Account(
                    account_id="acc-2",
                    category=AccountCategory.LOC_ACCOUNT,
                    type="CREDITCARD",
                    name="Card",
                    product="Gold",
                    last_digits="00X1",
                    holder="Sam",
                    is_joint=True,
                    others_are_told=True,
                    unshareable=Unshareable.CLOSED,
                ),
            ),
        ),
    )


@pytest.mark.parametrize(
    ("accounts", "fault"),
    [
        (f"{ACCOUNT}, {ACCOUNT}", "[acc-1].account_id: is registered twice"),
        (ACCOUNT.replace("acc-1", "acc 1"), "[acc 1]: account_id is not printable ASCII of 1 to 256 characters"),
        (ACCOUNT.replace("Everyday", "é" * 81), "[acc-1]: has a text of more than 80 characters"),
        (ACCOUNT.replace("CHECKING", "checking"), "[acc-1].type: must be of the form ^[A-Z0-9_]{1,40}$"),
        (ACCOUNT.replace(" }", ', last_digits = "12345" }'), "[acc-1]: last_digits has more than four, or another character than digits and letters"),
        (ACCOUNT.replace(" }", ", balance = 5 }"), "[acc-1].balance: is not known here"),
    ],
)  # fmt: skip
def test_a_fault_of_a_test_customers_account_is_told_with_its_place(
    register: Register, accounts: str, fault: str
) -> None:
    path = register(customers(accounts), sign_in="sandbox")
    assert faults_of(path) == [f"providers[1000].customers[alex].accounts{fault}"]


def test_every_test_customer_of_the_demo_has_accounts() -> None:
    registry = read_registry(DEMO_REGISTRY, allow_demo=True)
    maple, northern = registry.providers["1000"], registry.providers["2000"]
    shareable = {
        (provider.provider_id, customer.user_name): [
            account for account in customer.accounts if account.unshareable is None
        ]
        for provider in (maple, northern)
        for customer in provider.sandbox_customers
    }
    numbers = {name: len(accounts) for name, accounts in shareable.items()}
    unusual = {"sam": 1, "robin": 0, "jordan": 40, "casey": 60}
    assert {name: numbers["1000", name] for name in unusual} == unusual
    assert min(number for name, number in numbers.items() if name[1] not in unusual) >= 5
    ids = [
        account.account_id
        for provider in (maple, northern)
        for customer in provider.sandbox_customers
        for account in customer.accounts
    ]
    assert len(ids) == len(set(ids))
    assert all(
        account_id.startswith(f"acc-{customer.subject}-")
        for customer in maple.sandbox_customers
        for account_id in (account.account_id for account in customer.accounts)
    )


def test_a_change_of_accounts_is_told_in_words_and_no_secret(register: Register) -> None:
    def changes(old: str, new: str) -> list[str]:
        registries = [read_registry(register(accounts), allow_demo=False) for accounts in (old, new)]
        return changes_between(*registries)

    assert changes("", SERVICE) == ["provider 1000: customers choose their accounts now"]
    assert changes(SERVICE, "") == ["provider 1000: customers share all accounts now, and choose none"]
    assert changes(CLAIM, SERVICE) == ["provider 1000: its accounts are asked for in another way"]
    withholding = CLAIM.replace("}", ', withheld_categories = ["LOAN_ACCOUNT"] }')
    assert changes(CLAIM, withholding) == ["provider 1000: accounts.withheld_categories gains LOAN_ACCOUNT"]
