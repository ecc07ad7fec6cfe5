"""A bank whose secret cannot be read: nobody can sign in there, which is said, and everybody else goes on."""

from collections.abc import Callable

import pytest

from tests.support.builders import a_query
from tests.support.customer import BrowserCustomer, carried_params
from tests.support.page_contract import ContractClient, parse_page

Register = Callable[..., ContractClient]
LOST = ('demo_client_secret = "harbour-demo-secret"', 'client_secret_file = "/nowhere/secret"')


@pytest.fixture
def client(register: Register) -> ContractClient:
    return register(LOST)


def test_a_request_for_it_goes_back_to_the_recipient_which_may_try_later(client: ContractClient) -> None:
    answer = client.get(f"/api/v1/authorize?{a_query(provider_id='3000')}")
    assert answer.status_code == 302
    params = carried_params(answer.headers["Location"])
    assert params["error"] == "temporarily_unavailable"
    assert params["error_description"] == "The provider cannot be reached now"
    assert {"state", "iss"} <= params.keys()


def test_a_request_that_was_under_way_reads_so(register: Register, client: ContractClient) -> None:
    whole = register()
    begun = whole.get(f"/api/v1/authorize?{a_query(provider_id='3000')}").headers["Location"]
    later = register(LOST, browser=whole)
    page = later.get(begun)
    assert page.status_code == 503
    assert parse_page(page.text).one("h1").text == "Signing in to Harbour Trust is not working right now"


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        ("en", "Signing in to Harbour Trust is not working right now"),
        ("fr", "Fiducie du Port"),
    ],
)
def test_where_one_signs_in_to_see_what_one_shares_it_says_so(
    client: ContractClient, lang: str, said: str
) -> None:
    page = parse_page(client.get(f"/connections?lang={lang}").text)
    (item,) = [
        item.text
        for item in page.all("li")
        if item.text.startswith("Harbour") or item.text.startswith("Fiducie")
    ]
    assert said in item
    assert item not in ("Harbour Trust", "Fiducie du Port")
    assert client.get("/connections/sign-in/3000").status_code == 503


def test_customers_of_the_other_banks_notice_nothing(client: ContractClient) -> None:
    request_id = BrowserCustomer(client).signed_in_request()
    assert client.get(f"/consent/{request_id}").status_code == 200
