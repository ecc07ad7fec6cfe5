"""The example banks, each behind its guard: FDX's shapes, made-up data that stays the same, and whose it is."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

from examples.bank.app import create_app
from examples.bank.customers import read_banks
from examples.bank.guard import CALLS
from tests.examples.stand_in import ALL, StandIn, account_resource, customer_resource
from tests.support.builders import NOON
from tests.support.registrations import DEMO_REGISTRY

CHEQUING, JOINT, CLOSED, CARD, MORTGAGE, TFSA = (
    f"acc-maple-0001-{word}" for word in ("chequing", "joint", "old-savings", "card", "mortgage", "tfsa")
)
OF_ALEX = (CHEQUING, JOINT, CARD, MORTGAGE, TFSA)


@pytest.fixture
def accord() -> Iterator[StandIn]:
    with StandIn() as running:
        yield running


class MapleApi:
    def __init__(self, accord: StandIn) -> None:
        self.accord = accord
        self.client = Client(create_app(registration=DEMO_REGISTRY, issuer=accord.issuer, clock=lambda: NOON))
        self.share(*OF_ALEX)

    def share(self, *account_ids: str, clusters: tuple[str, ...] = ALL, **answer: Any) -> None:
        of_account = [cluster for cluster in clusters if not cluster.startswith("CUSTOMER")]
        of_customer = [cluster for cluster in clusters if cluster.startswith("CUSTOMER")]
        self.token = self.accord.grant(
            *(account_resource(account_id, *of_account) for account_id in account_ids),
            *([customer_resource(*of_customer)] if of_customer else []),
            **answer,
        )

    def get(self, path: str, **headers: str) -> TestResponse:
        authorization = {"Authorization": f"Bearer {self.token}"}
        return self.client.get(f"/maple{path}", headers={**authorization, **headers})

    def read(self, path: str, **headers: str) -> Any:
        response = self.get(path, **headers)
        assert response.status_code == 200, response.text
        return response.get_json()


@pytest.fixture
def maple(accord: StandIn) -> MapleApi:
    return MapleApi(accord)


def accounts_in(answer: Any) -> list[dict[str, Any]]:
    return [account for wrapped in answer["accounts"] for account in wrapped.values()]


def test_the_list_has_the_accounts_that_were_chosen_in_the_banks_order(maple: MapleApi) -> None:
    maple.share(MORTGAGE, CHEQUING)
    answer = maple.read("/accounts")
    assert [account["accountId"] for account in accounts_in(answer)] == [CHEQUING, MORTGAGE]
    assert answer["page"] == {"totalElements": 2}
    assert accounts_in(answer)[0] == {
        "accountCategory": "DEPOSIT_ACCOUNT",
        "accountId": CHEQUING,
        "accountType": "CHECKING",
        "accountNumberDisplay": "••3416",
        "productName": "Chequing account",
        "nickname": "Everyday chequing",
        "status": "OPEN",
        "currency": {"currencyCode": "CAD"},
    }


def test_accounts_that_were_not_chosen_are_left_out_before_the_pages_are_made(maple: MapleApi) -> None:
    maple.share(CHEQUING, MORTGAGE, TFSA)
    pages = [maple.read(f"/accounts?limit=2&offset={offset}") for offset in (0, 2)]
    assert [len(page["accounts"]) for page in pages] == [2, 1]
    assert pages[0]["page"] == {"totalElements": 3, "nextOffset": "2"}
    assert pages[1]["page"] == {"totalElements": 3}
    for odd in ("-1", "x", "９", "1" * 20):
        assert maple.get(f"/accounts?offset={odd}").status_code == 400


def test_details_are_those_of_each_kind_of_account(maple: MapleApi) -> None:
    found = {
        account["accountId"]: account for account in accounts_in(maple.read("/accounts?resultType=details"))
    }
    assert {"currentBalance", "availableBalance"} <= found[CHEQUING].keys()
    assert {"creditLine", "availableCredit", "nextPaymentDate"} <= found[CARD].keys()
    assert {"principalBalance", "interestRate"} <= found[MORTGAGE].keys()
    assert {"currentValue", "holdings"} <= found[TFSA].keys()
    assert all("accountNumber" not in account for account in found.values())
    maple.share(*OF_ALEX, clusters=("ACCOUNT_BASIC", "ACCOUNT_DETAILED"))
    found = {
        account["accountId"]: account for account in accounts_in(maple.read("/accounts?resultType=details"))
    }
    assert not {"currentValue", "holdings", "availableCashBalance"} & found[TFSA].keys()
    assert maple.read(f"/accounts/{CHEQUING}") == {"depositAccount": found[CHEQUING]}


def test_transactions_are_the_same_each_time_and_of_the_days_that_were_allowed(maple: MapleApi) -> None:
    path = f"/accounts/{CHEQUING}/transactions"
    first = maple.read(f"{path}?limit=500")
    assert maple.read(f"{path}?limit=500") == first
    days = [transaction["postedTimestamp"][:10] for transaction in first["transactions"]]
    assert days == sorted(days, reverse=True)
    assert min(days) < (NOON - timedelta(days=700)).date().isoformat()
    assert max(days) <= NOON.date().isoformat()
    maple.share(CHEQUING, lookbackPeriod=90)
    days = [
        transaction["postedTimestamp"][:10] for transaction in maple.read(f"{path}?limit=500")["transactions"]
    ]
    earliest = (NOON - timedelta(days=90)).date()
    assert min(days) >= earliest.isoformat()
    asked = maple.read(f"{path}?startTime=2026-11-01&endTime=2026-11-15")["transactions"]
    assert asked
    assert all("2026-11-01" <= transaction["postedTimestamp"][:10] <= "2026-11-15" for transaction in asked)
    assert maple.get(f"{path}?startTime={earliest - timedelta(days=1)}").status_code == 400
    for last in ("2026-11-15T23:59:59Z", "20261115", "2026-11-16T03%3A59%3A59%2B04:00", "2026-W46-7"):
        assert maple.read(f"{path}?startTime=2026-11-01&endTime={last}")["transactions"] == asked, last
    assert [each["transactionId"] for each in asked] == [
        each["transactionId"]
        for each in first["transactions"]
        if "2026-11-01" <= each["postedTimestamp"][:10] <= "2026-11-15"
    ]


def test_descriptions_are_in_the_language_that_is_asked_for(maple: MapleApi) -> None:
    path = f"/accounts/{CHEQUING}/transactions"
    english = maple.read(path, **{"Accept-Language": "en-CA"})["transactions"]
    french = maple.read(path, **{"Accept-Language": "fr-CA, en;q=0.5"})["transactions"]
    assert {"Groceries, Corner Market", "Rent"} <= {each["description"] for each in english}
    assert {"Épicerie, Marché du Coin", "Loyer"} <= {each["description"] for each in french}
    assert [each["amount"] for each in english] == [each["amount"] for each in french]
    [account] = maple.read(f"/accounts/{CHEQUING}", **{"Accept-Language": "fr"}).values()
    assert account["productName"] == "Compte chèques"


def test_the_statement_of_last_month_is_a_pdf(maple: MapleApi) -> None:
    path = f"/accounts/{CHEQUING}/statements"
    [entry] = maple.read(path)["statements"]
    assert entry["statementId"] == "2026-10"
    response = maple.get(f"{path}/2026-10")
    assert response.mimetype == "application/pdf"
    assert response.data.startswith(b"%PDF-1.4")
    assert response.data.endswith(b"%%EOF\n")
    assert b"Rent" in response.data
    assert "Épicerie".encode("cp1252") in maple.get(f"{path}/2026-10", **{"Accept-Language": "fr"}).data
    table = int(response.data.rsplit(b"startxref\n", 1)[1].split()[0])
    assert response.data[table:].startswith(b"xref\n")
    assert maple.get(f"{path}/2026-09").get_json()["code"] == "1107"
    maple.share(CHEQUING, lookbackPeriod=7)
    assert maple.read(path)["statements"] == []
    assert maple.get(f"{path}/2026-10").status_code == 404


def test_an_account_that_is_closed_or_of_another_kind_says_so(maple: MapleApi) -> None:
    maple.share(CLOSED, CARD)
    assert maple.get(f"/accounts/{CLOSED}/transactions").status_code == 409
    assert maple.get(f"/accounts/{CLOSED}/transactions").get_json()["code"] == "705"
    assert maple.get(f"/accounts/{CARD}/payment-networks").status_code == 422
    assert [account["status"] for account in accounts_in(maple.read("/accounts"))] == ["CLOSED", "OPEN"]


def test_numbers_for_payments_are_told_with_that_cluster_alone(maple: MapleApi) -> None:
    [network] = maple.read(f"/accounts/{CHEQUING}/payment-networks")["paymentNetworks"]
    number = network["identifier"]
    assert number.endswith("3416")
    maple.share(*OF_ALEX, clusters=tuple(cluster for cluster in ALL if cluster != "ACCOUNT_PAYMENTS"))
    for path in CALLS:
        answer = maple.get(path.replace("{}", CHEQUING, 1).replace("{}", "2026-10")).data
        assert number.encode() not in answer
    assert maple.get(f"/accounts/{CHEQUING}/payment-networks").status_code == 401


def test_of_the_other_owner_of_a_joint_account_the_name_is_told(maple: MapleApi) -> None:
    own, other = maple.read(f"/accounts/{JOINT}/contact")["holders"]
    assert {"addresses", "emails", "telephones", "dateOfBirth"} <= own.keys()
    assert other == {
        "type": "CONSUMER",
        "name": {"first": "Robin", "last": "Gagnon"},
        "relationship": "SECONDARY_JOINT",
    }


@pytest.mark.parametrize(
    ("cluster", "told"),
    [
        ("CUSTOMER_CONTACT", {"customerId", "type", "name", "addresses", "emails", "telephones"}),
        ("CUSTOMER_PERSONAL", {"customerId", "type", "name", "dateOfBirth"}),
    ],
)
def test_of_the_customer_only_what_the_cluster_names_is_told(
    maple: MapleApi, cluster: str, told: set[str]
) -> None:
    maple.share(CHEQUING, clusters=("ACCOUNT_BASIC", cluster))
    assert maple.read("/customers/current").keys() == told


def test_a_consent_for_every_account_never_shows_somebody_elses(maple: MapleApi) -> None:
    maple.token = maple.accord.grant(customer_resource(*ALL))
    assert len(maple.read("/accounts")["accounts"]) == 7
    own = maple.read(f"/accounts/{CHEQUING}/transactions?limit=1")["transactions"]
    assert own
    foreign, unknown = (
        maple.get(f"/accounts/{account_id}/transactions").data
        for account_id in ("acc-maple-0002-chequing", "acc-x")
    )
    assert foreign == unknown == b'{"code": "701", "message": "Account not found"}'


def test_entitlement_is_the_banks_own_check_at_each_call(maple: MapleApi) -> None:
    """A consent that names an account of somebody else opens nothing: perhaps it was theirs once."""
    maple.share("acc-maple-0002-chequing", CHEQUING)
    assert maple.get("/accounts/acc-maple-0002-chequing/transactions").get_json()["code"] == "701"
    assert [account["accountId"] for account in accounts_in(maple.read("/accounts"))] == [CHEQUING]


def test_somebody_who_is_no_customer_any_more_gets_nothing(maple: MapleApi, accord: StandIn) -> None:
    token = accord.sign(sub="maple-9999")
    maple.token = accord.grant(customer_resource(*ALL, subject="maple-9999"), token=token, sub="maple-9999")
    for path in CALLS:
        response = maple.get(path.replace("{}", CHEQUING, 1).replace("{}", "2026-10"))
        assert (response.status_code, response.get_json()["code"]) == (404, "601")


def test_each_bank_takes_tokens_for_its_own_api_alone(maple: MapleApi) -> None:
    for bank in ("northern", "harbour"):
        headers = {"Authorization": f"Bearer {maple.token}"}
        assert maple.client.get(f"/{bank}/accounts", headers=headers).status_code == 401


def test_every_bank_of_the_registration_is_there_with_its_customers() -> None:
    banks = {bank.mount: bank for bank in read_banks(DEMO_REGISTRY)}
    assert set(banks) == {"/maple", "/northern", "/harbour"}
    alex = banks["/maple"].find_customer("maple-0001")
    assert alex is not None
    assert alex.name == "Alex Tremblay"
    assert alex.accounts[CLOSED].status == "CLOSED"
    assert alex.accounts[JOINT].is_joint
    assert banks["/northern"].find_customer("maple-0001") is None
    sam = banks["/harbour"].find_customer("sam")
    assert sam is not None
    assert len(sam.accounts) == 6
    assert sam == banks["/harbour"].find_customer("sam")


def test_jordan_has_forty_accounts_to_share(maple: MapleApi) -> None:
    token = maple.accord.sign(sub="maple-0004")
    maple.token = maple.accord.grant(
        customer_resource(*ALL, subject="maple-0004"), token=token, sub="maple-0004"
    )
    answer = maple.read("/accounts?resultType=details")
    assert answer["page"] == {"totalElements": len(answer["accounts"])}
    assert len(answer["accounts"]) >= 40
