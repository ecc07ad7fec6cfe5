"""A scripted customer and their recipient: what a browser would do, page by page."""

from base64 import b64encode
from typing import Any
from urllib.parse import parse_qs

from werkzeug.test import TestResponse

from tests.support.builders import CALLBACK, CHALLENGE, a_query
from tests.support.page_contract import ContractClient, Element, parse_page

BUDGET = ("dc-budget", "budget-demo-secret")
LOANS = ("dc-loans", "loans-demo-secret")

LOANS_CALLBACK = "https://loans.example/callback?tenant=a"
LOANS_REQUEST = {
    "client_id": "dc-loans",
    "redirect_uri": LOANS_CALLBACK,
    "scope": "ACCOUNT_BASIC TRANSACTIONS ACCOUNT_DETAILED",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}
LOANS_APP_CALLBACK = "com.loans.app:/callback"
LOANS_APP_REQUEST = {**LOANS_REQUEST, "redirect_uri": LOANS_APP_CALLBACK}


class BrowserCustomer:
    """Walks through the pages like a browser without JavaScript: hidden fields are sent back as they came.

    Of accounts it chooses all, or the first ones only, where `most_accounts` says so.
    """

    most_accounts: int | None = None

    def __init__(self, client: ContractClient) -> None:
        self.client = client

    def begin(self, **changes: str | None) -> str:
        """Starts a request; returns its request_id."""
        return self.first_page(**changes).split("/")[2]

    def first_page(self, **changes: str | None) -> str:
        response = self.client.get(f"/api/v1/authorize?{a_query(**changes)}")
        assert response.status_code == 302, response.text
        assert response.location.startswith(("/sign-in/", "/consent/")), response.location
        return response.location

    def sign_in(
        self, request_id: str, user_name: str = "alex", password: str = "maple-syrup"
    ) -> TestResponse:
        page = parse_page(self.client.get(f"/sign-in/{request_id}").text)
        fields = {
            **hidden_fields(page, f"/sign-in/{request_id}"),
            "user_name": user_name,
            "password": password,
        }
        return self.client.post(f"/sign-in/{request_id}", data=fields)

    def form(self, request_id: str) -> Element:
        """The form with its boxes, even where nothing new is asked and what is shared could be kept as it is."""
        response = self.client.get(f"/consent/{request_id}?go=change")
        if response.status_code == 302:
            self.choose_accounts(request_id)
            response = self.client.get(f"/consent/{request_id}?go=change")
        return parse_page(response.text)

    def choose_accounts(self, request_id: str) -> None:
        """Chooses accounts where they are asked for, unless some are checked."""
        response = self.client.get(f"/consent/{request_id}/accounts?go=change")
        page = parse_page(response.text) if response.status_code == 200 else None
        boxes = [] if page is None else page.all("input", type="checkbox", name="account")
        if page is None or not boxes or any("checked" in box.attributes for box in boxes):
            return
        chosen = all_accounts(page, request_id)
        chosen["account"] = chosen["account"][: self.most_accounts]
        self.client.post(f"/consent/{request_id}/accounts", data=chosen)

    def answer(self, request_id: str, decision: str, *boxes: str) -> TestResponse:
        fields = hidden_fields(self.form(request_id), f"/consent/{request_id}")
        return self.post_answer(request_id, fields, decision, *boxes)

    def post_answer(
        self, request_id: str, fields: dict[str, str], decision: str, *boxes: str
    ) -> TestResponse:
        """Sends the form. Asked whether no box at all was meant, the customer says yes."""
        data: dict[str, Any] = {**fields, "decision": decision, "scope": list(boxes)}
        response = self.client.post(f"/consent/{request_id}", data=data)
        if response.status_code != 303 or "answer=unchecked" not in response.location:
            return response
        pause = parse_page(self.client.get(response.location).text)
        return self.client.post(
            f"/consent/{request_id}",
            data={**hidden_fields(pause, f"/consent/{request_id}"), "decision": decision},
        )

    def signed_in_request(self, **changes: str | None) -> str:
        """A request whose form is open; signs in unless somebody is."""
        page, request_id = self.first_page(**changes).split("/")[1:3]
        if page == "sign-in":
            self.sign_in(request_id)
        self.choose_accounts(request_id)
        return request_id

    def approve(self, *boxes: str, **changes: str | None) -> str:
        """The whole way to the callback; returns the code."""
        response = self.answer(self.signed_in_request(**changes), "approve", *boxes)
        return answer_params(response)["code"]

    def connections(self) -> list[str]:
        """The consent ids on the page of everything that is shared, from top to bottom."""
        page = parse_page(self.client.get("/connections").text)
        addresses = [link.attributes["href"] for link in page.all("a")]
        ids = [
            address.removeprefix("/connections/")
            for address in addresses
            if address.startswith("/connections/") and address.count("/") == 2
        ]
        return list(dict.fromkeys(found.partition("?")[0] for found in ids))

    def stop(self, consent_id: str, what: str = "all") -> TestResponse:
        """Opens the page that says what follows, and confirms."""
        address = f"/connections/{consent_id}"
        page = parse_page(self.client.get(f"{address}?stop={what}").text)
        return self.client.post(address, data={**hidden_fields(page, address), "stop": what})

    def redeem(
        self, code: str, *, client: tuple[str, str] = BUDGET, redirect_uri: str = CALLBACK, **changes: str
    ) -> TestResponse:
        fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, **changes}
        return self.client.post("/api/v1/token", data=fields, headers=basic(*client))

    def refresh(
        self, refresh_token: str, *, client: tuple[str, str] = BUDGET, **changes: str
    ) -> TestResponse:
        fields = {"grant_type": "refresh_token", "refresh_token": refresh_token, **changes}
        return self.client.post("/api/v1/token", data=fields, headers=basic(*client))


class OpenForm:
    """A form as it was loaded, to be sent any number of times."""

    def __init__(self, customer: BrowserCustomer, **changes: str | None) -> None:
        self.customer = customer
        self.request_id = customer.signed_in_request(**changes)
        self.address = f"/consent/{self.request_id}"
        self.page = customer.form(self.request_id)
        self.fields = hidden_fields(self.page, self.address)

    def send(self, decision: str, *boxes: str) -> TestResponse:
        return self.customer.post_answer(self.request_id, self.fields, decision, *boxes)

    def reopen(self) -> TestResponse:
        return self.customer.client.get(self.address)


def basic(client_id: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{client_id}:{secret}".encode()).decode()}


def hidden_fields(page: Element, action: str) -> dict[str, str]:
    """The hidden fields of the form that posts to `action` (a form without an action posts to its page)."""
    forms = [form for form in page.all("form") if form.attributes.get("action", action) == action]
    assert forms, f"no form posts to {action}"
    hidden = forms[0].all("input", type="hidden")
    return {field.attributes["name"]: field.attributes["value"] for field in hidden}


def all_accounts(page: Element, request_id: str) -> dict[str, Any]:
    """What the form of the accounts sends when all of them are checked."""
    positions = [box.attributes["value"] for box in page.all("input", type="checkbox", name="account")]
    fields = hidden_fields(page, f"/consent/{request_id}/accounts")
    return {**fields, "account": positions, "go": "next"}


def answer_params(response: TestResponse, redirect_uri: str = CALLBACK) -> dict[str, str]:
    """What the redirect carries back to the recipient, which it must lead to."""
    assert response.status_code == 302, response.text
    return carried_params(response.location, redirect_uri)


def carried_params(location: str, redirect_uri: str = CALLBACK) -> dict[str, str]:
    """What is added to `redirect_uri`, whatever query that has, in an address that leads there."""
    separator = "&" if "?" in redirect_uri else "?"
    start, found, query = location.partition(redirect_uri + separator)
    assert found, location
    assert not start, location
    params = parse_qs(query, keep_blank_values=True, strict_parsing=True)
    assert all(len(values) == 1 for values in params.values())
    return {name: values[0] for name, values in params.items()}
