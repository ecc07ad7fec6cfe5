"""A bank that lies stays its own problem: what another bank says is never brought to it (RFC 9700 4.4).

Two banks, each with a server of its own (tests/support/oidc_server.py), of which one does what it likes.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from werkzeug.test import TestResponse

from app.development.embedded import EmbeddedValkey
from app.stores.redis import client as redis
from tests.support.applications import Clock, Logged, a_browser, make_app, make_settings
from tests.support.customer import BrowserCustomer
from tests.support.expected_pages import check_error_page
from tests.support.oidc_server import METADATA, NotRegistered, OidcServer
from tests.support.page_contract import ContractClient
from tests.support.registrations import DEMO_REGISTRY, with_bank

HONEST, LIAR = "3000", "2000"
ACCORD = "http://localhost:8000"


@dataclass
class Banks:
    """An honest bank and a liar, both of which have registered Accord, and a server with whom both are."""

    honest: OidcServer
    liar: OidcServer
    client: ContractClient
    clock: Clock

    def browser(self) -> BrowserCustomer:
        """Somebody else's, with an empty cookie jar."""
        client = a_browser(self.client.application)
        return BrowserCustomer(client)


@pytest.fixture
def banks(
    valkey: EmbeddedValkey,
    redis_client: redis.Redis,
    ledger_url: str,
    signing_keys: Path,
    clock: Clock,
    tmp_path: Path,
) -> Iterator[Banks]:
    with OidcServer(now=clock) as honest, OidcServer(now=clock) as liar:
        honest.registered = f"{ACCORD}/sign-in/callback/{HONEST}"
        registry = tmp_path / "registry.toml"
        registry.write_text(registration(honest, liar), encoding="utf-8")
        settings = make_settings(valkey.url, ledger_url, signing_keys, registry=registry)
        client = a_browser(make_app(settings, clock))
        yield Banks(honest, liar, client, clock)


def registration(honest: OidcServer, liar: OidcServer) -> str:
    """The demo's, in which the second bank has a server of its own, too."""
    first, second, third = DEMO_REGISTRY.read_text(encoding="utf-8").split("[[providers]]\n")[1:]
    server = (
        'sign_in = "oidc"\noidc = {{ issuer = "{}", client_id = "accord", demo_client_secret = "{}" }}\n\n'
    )
    second = second.partition("sign_in =")[0] + server.format(liar.issuer, "harbour-demo-secret")
    third = with_bank(honest.issuer, third)
    return "".join(f"[[providers]]\n{bank}" for bank in (first, second, third))


def leave(browser: BrowserCustomer, provider_id: str) -> str:
    """Begins a sign-in; the address at the bank to which the browser is sent."""
    response = browser.client.get(f"/sign-in/{browser.begin(provider_id=provider_id)}")
    assert response.status_code == 302, response.text
    return response.location


def come_back(browser: BrowserCustomer, location: str) -> TestResponse:
    return browser.client.get(location.removeprefix(ACCORD))


def with_params(url: str, **changes: str) -> str:
    """`url`, some of whose parameters are others."""
    params = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    return f"{url.partition('?')[0]}?{urlencode({**params, **changes})}"


def params_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def is_signed_in(browser: BrowserCustomer, provider_id: str) -> bool:
    response = browser.client.get(f"/connections/sign-in/{provider_id}")
    return response.status_code == 302 and bool(response.location == "/connections")


@pytest.mark.parametrize("address", ["the liar's", "the honest bank's"])
def test_a_lying_bank_cannot_bring_home_the_code_of_another(banks: Banks, address: str) -> None:
    """It sends its customer on to the honest bank, where she is signed in, with an attacker's secrets."""
    attacker, victim = banks.browser(), banks.browser()
    attackers_way = leave(attacker, HONEST)
    victims_way = leave(victim, LIAR)
    own = params_of(attackers_way)
    forwarded = with_params(
        attackers_way,
        state=params_of(victims_way)["state"],
        redirect_uri=params_of(victims_way if address == "the liar's" else attackers_way)["redirect_uri"],
    )

    try:  # the honest bank knows the victim, and asks her nothing
        come_back(victim, banks.honest.sign_in(forwarded, sub="victim", name="Victoria"))
    except NotRegistered:
        assert address == "the liar's"

    learned = [body["code"] for _, body in banks.liar.token_requests]
    for code in learned:
        come_back(attacker, f"{own['redirect_uri']}?{urlencode({'code': code, 'state': own['state']})}")
    assert not is_signed_in(attacker, HONEST)
    assert not is_signed_in(victim, HONEST)
    assert learned == []


def test_an_answer_at_another_banks_address_signs_nobody_in(banks: Banks, lang: str) -> None:
    victim = banks.browser()
    request_id = victim.begin(provider_id=LIAR, lang=lang)
    way = victim.client.get(f"/sign-in/{request_id}").location
    location = banks.liar.sign_in(way)
    elsewhere = location.replace(f"/callback/{LIAR}", f"/callback/{HONEST}")
    assert elsewhere != location
    check_error_page(come_back(victim, elsewhere), "sign_in_lost", lang, status=404)
    assert banks.liar.token_requests == banks.honest.token_requests == []
    assert come_back(victim, location).location == f"/consent/{request_id}", "nothing was used up"


@pytest.mark.parametrize("address", ["/sign-in/callback", "/sign-in/callback/", "/sign-in/callback/9999"])
def test_there_is_no_address_for_a_bank_that_nobody_registered(banks: Banks, address: str) -> None:
    victim = banks.browser()
    location = banks.liar.sign_in(leave(victim, LIAR))
    response = victim.client.get(f"{address}?{urlsplit(location).query}")
    assert response.status_code == 404
    assert banks.liar.token_requests == []
    assert not is_signed_in(victim, LIAR)


def test_every_bank_has_an_address_of_its_own(banks: Banks) -> None:
    browser = banks.browser()
    for provider_id in (HONEST, LIAR):
        address = params_of(leave(browser, provider_id))["redirect_uri"]
        assert address == f"{ACCORD}/sign-in/callback/{provider_id}"


def test_a_bank_whose_answers_do_not_say_whose_they_are_is_in_the_log_once(
    banks: Banks, logged: Logged
) -> None:
    banks.honest.metadata = {"authorization_response_iss_parameter_supported": True}
    for _ in range(2):
        for provider_id in (HONEST, LIAR):
            leave(banks.browser(), provider_id)
        banks.clock.advance(timedelta(minutes=11))  # what is known of a bank is asked for anew
    warnings = [entry for entry in logged() if entry["event"] == "bank_without_iss"]
    assert [entry["issuer"] for entry in warnings] == [banks.liar.issuer]
    assert banks.liar.count(METADATA) == 2


def test_a_sign_in_that_was_altered_in_redis_is_nobodys(banks: Banks, redis_client: redis.Redis) -> None:
    """The victim's sign-in, written to be the attacker's browser's: he would be signed in as her."""
    attacker, victim = banks.browser(), banks.browser()
    own = leave(attacker, HONEST)
    location = banks.honest.sign_in(leave(victim, HONEST), sub="victim")
    records = {url: f"sign_ins:{params_of(url)['state']}" for url in (own, location)}
    browser_id = json.loads(str(redis_client.get(records[own])).rpartition(".")[0])["browser"]
    text, _, signature = str(redis_client.get(records[location])).rpartition(".")
    for record in (
        f"{json.dumps({**json.loads(text), 'browser': browser_id})}.{signature}",
        str(redis_client.get(records[own])),
    ):
        redis_client.set(records[location], record)
        assert come_back(attacker, location).status_code == 404
        assert come_back(victim, location).status_code == 404
        assert not is_signed_in(attacker, HONEST)
    assert banks.honest.token_requests == []
