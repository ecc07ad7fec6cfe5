"""Which redirect_uri is accepted (RFC 9700 2.1, RFC 8252 7), and what else a registration says."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.domain.registry import SandboxCustomer, Status
from tests.support.builders import a_client, a_provider, a_registry

REGISTERED = "https://loans.example/callback?tenant=a"
LOOPBACK = "http://127.0.0.1:8001/callback"
LOOPBACK_6 = "http://[::1]:8001/callback"


@pytest.mark.parametrize(
    "uri",
    [
        "https://loans.example/callback",
        "https://loans.example/callback?tenant=",
        "https://loans.example/callback?tenant=ab",
        "https://loans.example/callback?tenant=a&x=y",
        "https://loans.example/callback?tenant=b",
        "https://loans.example/callback?tenant=a#",
        "https://loans.example/callback?tenant=a#top",
        "https://loans.example/callback/?tenant=a",
        "https://loans.example/callback/more?tenant=a",
        "https://loans.example/",
        "HTTPS://loans.example/callback?tenant=a",
        "https://LOANS.example/callback?tenant=a",
        "https://loans.example/Callback?tenant=a",
        "https://loans.example/callback?TENANT=a",
        "http://loans.example/callback?tenant=a",
        "https://loans.example:443/callback?tenant=a",
        "https://loans.example:8443/callback?tenant=a",
        "https://loans.example:/callback?tenant=a",
        "https://loans.example/%63allback?tenant=a",
        "https://loans.example/callback%3Ftenant=a",
        "https://loans.example/callback?tenant=%61",
        "https://loans%2eexample/callback?tenant=a",
        "https://loans.example/./callback?tenant=a",
        "https://loans.example/x/../callback?tenant=a",
        "https://loans.example/callback/..;/evil?tenant=a",
        "https://loans.example/..;/callback?tenant=a",
        "https://loans.example//callback?tenant=a",
        "https://loans.example\\callback?tenant=a",
        "https:\\\\loans.example\\callback?tenant=a",
        "https://evil.example\\@loans.example/callback?tenant=a",
        "https://loans.example@evil.example/callback?tenant=a",
        "https://user@loans.example/callback?tenant=a",
        "https://a@b@loans.example/callback?tenant=a",
        "https://loans.example./callback?tenant=a",
        "https://loans.example.evil.example/callback?tenant=a",
        "https://evil-loans.example/callback?tenant=a",
        "https://evil.example/?https://loans.example/callback?tenant=a",
        "https://loans.example/callback?tenant=a\t",
        "https://loans.example/\tcallback?tenant=a",
        "https://loans.example/callback?tenant=a\n",
        "https://loans.example/callback?tenant=a\x00",
        "https://loans.example\x00.evil.example/callback?tenant=a",
        " https://loans.example/callback?tenant=a",
        "https://loans.example/callback?tenant=a ",
        "https://lоans.example/callback?tenant=a",
        "https://ｌoans.example/callback?tenant=a",
        "https://loans。example/callback?tenant=a",
        "https://xn--lans-4nd.example/callback?tenant=a",
        "https://loans.example/callback?tenant=a\udcff",
        "//loans.example/callback?tenant=a",
        "javascript:alert(1)//https://loans.example/callback?tenant=a",
        "",
        "*",
    ],
)
def test_whatever_differs_from_the_registered_address_by_anything_is_refused(uri: str) -> None:
    client = a_client(redirect_uris=frozenset({REGISTERED}))
    assert client.accepts_redirect_uri(REGISTERED)
    assert not client.accepts_redirect_uri(uri)


@given(st.data())
def test_no_single_edit_of_a_registered_address_is_accepted(data: st.DataObject) -> None:
    client = a_client(redirect_uris=frozenset({REGISTERED}))
    cut = data.draw(st.integers(0, len(REGISTERED)))
    end = data.draw(st.integers(cut, min(len(REGISTERED), cut + 3)))
    edited = REGISTERED[:cut] + data.draw(st.text(max_size=3)) + REGISTERED[end:]
    assume(edited != REGISTERED)
    assert not client.accepts_redirect_uri(edited)


@pytest.mark.parametrize("registered", [LOOPBACK, LOOPBACK_6])
@pytest.mark.parametrize("port", ["", ":80", ":1", ":8001", ":49152", ":65535"])
def test_the_port_of_a_loopback_address_may_vary(registered: str, port: str) -> None:
    client = a_client(redirect_uris=frozenset({registered}))
    assert client.accepts_redirect_uri(registered.replace(":8001", port))


def test_a_loopback_address_registered_without_a_port_accepts_any() -> None:
    client = a_client(redirect_uris=frozenset({"http://127.0.0.1/callback"}))
    assert client.accepts_redirect_uri("http://127.0.0.1:49152/callback")


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:0/callback",
        "http://127.0.0.1:65536/callback",
        "http://127.0.0.1:08001/callback",
        "http://127.0.0.1:/callback",
        "http://127.0.0.1:-1/callback",
        "http://127.0.0.1:٨٠/callback",
        "http://127.0.0.1:80:80/callback",
        "http://127.0.0.1:8001",
        "http://127.0.0.1:8001/",
        "http://127.0.0.1:8001/callback/",
        "http://127.0.0.1:8001/callback?x=y",
        "http://127.0.0.1:8001/callback#top",
        "http://127.0.0.1:8001/Callback",
        "http://127.0.0.1:8001//callback",
        "http://127.0.0.1:8001/callback\n",
        "https://127.0.0.1:8001/callback",
        "HTTP://127.0.0.1:8001/callback",
        "http://localhost:8001/callback",
        "http://[::1]:8001/callback",
        "http://127.0.0.2:8001/callback",
        "http://127.1:8001/callback",
        "http://127.0.0.1.evil.example:8001/callback",
        "http://127.0.0.1:8001@evil.example/callback",
        "http://127.0.0.1@evil.example:8001/callback",
        "http://127.0.0.1:8001.evil.example/callback",
    ],
)
def test_nothing_of_a_loopback_address_may_vary_but_the_port(uri: str) -> None:
    client = a_client(redirect_uris=frozenset({LOOPBACK}))
    assert not client.accepts_redirect_uri(uri)


@pytest.mark.parametrize("registered", ["http://localhost:8001/callback", "https://127.0.0.1:8001/callback"])
def test_the_port_varies_for_a_literal_loopback_address_over_http_only(registered: str) -> None:
    client = a_client(redirect_uris=frozenset({registered}))
    assert not client.accepts_redirect_uri(registered.replace(":8001", ":8002"))


def test_a_suspended_client_is_not_found() -> None:
    registry = a_registry(a_client(), a_client(client_id="dc-loans", is_suspended=True), a_provider())
    assert registry.find_client("dc-budget") is not None
    assert registry.find_client("dc-loans") is None
    assert registry.find_client("DC-BUDGET") is None
    assert registry.find_client("") is None
    assert registry.find_provider("1000") is not None
    assert registry.find_provider("1000 ") is None


def test_a_client_has_a_status_with_the_providers_of_its_registration_only() -> None:
    client = a_client(statuses={"1000": Status.SUSPENDED})
    assert client.status_with("1000") is Status.SUSPENDED
    assert client.status_with("2000") is None


def test_a_password_stays_out_of_representations() -> None:
    customer = SandboxCustomer(user_name="alex", password="maple-syrup", subject="1", display_name="Alex")
    assert "maple-syrup" not in repr(a_provider(sandbox_customers=(customer,)))
