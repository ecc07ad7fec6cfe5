"""Customers with a browser each, and the recipient that gets their codes: whole flows, over and over."""

import http.client
import re
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import requests

from tests.faults.history import Exchange, History
from tests.support.builders import CALLBACK, a_query
from tests.support.customer import BUDGET, all_accounts, hidden_fields
from tests.support.nginx import Nginx
from tests.support.page_contract import parse_page

PASSWORD = "maple-syrup"
PATIENCE = 15.0

_NAMES = re.compile(r"Customer-(c[0-9]+)")
_PAUSE = 0.1

Bank = Callable[[str], str]
"""A bank's sign-in page: from the address that the browser is sent to, to the one that it comes back to."""


class Customer(threading.Thread):
    """One customer, who shares and shares again until told to stop; every fourth time the answer is no.

    Whoever is told to come back later, or gets no answer, presses the same button again. With `is_hasty`
    everything is sent once more before, and the connection closed at once.
    """

    def __init__(
        self,
        name: str,
        nginx: Nginx,
        history: History,
        stop: threading.Event,
        *,
        bank: Bank | None = None,
        is_hasty: bool = False,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._address = nginx.address
        self._authority = str(nginx.certificates.authority)
        self._history = history
        self._halt = stop
        self._bank = bank
        self._is_hasty = is_hasty
        self._browser = requests.Session()
        self._browser.trust_env = False  # which would name other authorities
        self._browser.verify = self._authority

    def run(self) -> None:
        number = 0
        while not self._halt.is_set():
            number += 1
            if number % 7 == 0:  # another browser: nobody is signed in there
                self._browser.cookies.clear()
            if not self._share(number):
                time.sleep(_PAUSE)

    def _share(self, number: int) -> bool:
        """One flow. False when it did not end as the customer meant it to."""
        provider = "3000" if self._bank else "1000"
        query = a_query(state=f"{self.name}-{number}", provider_id=provider)
        begun, response = self._ask("authorize", "GET", f"/api/v1/authorize?{query}")
        if response is None or not begun.is_good:
            return False
        page, _, request_id = response.headers["Location"].strip("/").partition("/")
        if page == "sign-in" and not self._sign_in(request_id):
            return False
        form, response = self._ask("form", "GET", f"/consent/{request_id}", request_id=request_id)
        if form.status == 302 and self._choose_accounts(request_id):
            form, response = self._ask("form", "GET", f"/consent/{request_id}", request_id=request_id)
        if response is None or form.status != 200 or 'name="decision"' not in response.text:
            return False
        fields = hidden_fields(parse_page(response.text), f"/consent/{request_id}")
        if number % 4 == 0:
            denied = self._insist(
                "deny", f"/consent/{request_id}", {**fields, "decision": "deny"}, request_id
            )
            return denied.error == "access_denied"
        data = {**fields, "decision": "approve", "scope": "TRANSACTIONS"}
        approved = self._insist("approve", f"/consent/{request_id}", data, request_id)
        return bool(approved.code) and self._use(approved.code, number)

    def _choose_accounts(self, request_id: str) -> bool:
        path = f"/consent/{request_id}/accounts"
        _, response = self._ask("accounts", "GET", path, request_id=request_id)
        if response is None or 'name="account"' not in response.text:
            return False
        data = all_accounts(parse_page(response.text), request_id)
        chosen, _ = self._ask("choose", "POST", path, data=data, request_id=request_id)
        return chosen.is_good

    def _sign_in(self, request_id: str) -> bool:
        path = f"/sign-in/{request_id}"
        opened, response = self._ask("sign_in", "GET", path, request_id=request_id)
        if response is None or not opened.is_good:
            return False
        if self._bank is not None:
            back = urlsplit(self._bank(response.headers["Location"]))
            came, _ = self._ask("callback", "GET", f"{back.path}?{back.query}", request_id=request_id)
            return came.is_good
        typed = {"user_name": self.name, "password": PASSWORD}
        data = {**hidden_fields(parse_page(response.text), path), **typed}
        return self._insist("sign_in", path, data, request_id).is_good

    def _use(self, code: str, number: int) -> bool:
        redeemed = self._machine(
            "redeem", "token", grant_type="authorization_code", code=code, redirect_uri=CALLBACK
        )
        if redeemed.status != 200:
            return False
        tokens = redeemed.answer
        introspected = self._machine(
            "introspect",
            "introspect",
            token=tokens["access_token"],
            expected=None if redeemed.is_retried else True,
        )
        is_well = bool(introspected.answer.get("active"))
        if is_well:
            self._history.finish(time.monotonic())
        if number % 2:
            self._machine(
                "refresh", "token", grant_type="refresh_token", refresh_token=tokens["refresh_token"]
            )
        if number % 3 == 0 and is_well:
            self._revoke(tokens["refresh_token"], introspected.answer["consent_id"])
        return is_well

    def _revoke(self, refresh_token: str, consent_id: str) -> None:
        revoked = self._machine("revoke", "revoke", token=refresh_token, consent_id=consent_id)
        if revoked.status == 200:
            self._machine("introspect", "introspect", token=refresh_token, expected=False)

    def _insist(self, step: str, path: str, data: dict[str, str], request_id: str) -> Exchange:
        """Presses the button until it is answered."""
        until = time.monotonic() + PATIENCE
        while True:
            exchange, _ = self._ask(step, "POST", path, data=data, request_id=request_id)
            if (
                exchange.status not in (None, 502, 503, 504)
                or time.monotonic() > until
                or self._halt.is_set()
            ):
                return exchange
            time.sleep(_PAUSE)

    def _machine(
        self, step: str, endpoint: str, *, expected: bool | None = None, consent_id: str = "", **data: str
    ) -> Exchange:
        """What the recipient asks; again when nothing was answered, or that nothing can be."""
        until = time.monotonic() + PATIENCE
        is_retried = False
        while True:
            exchange, response = self._exchange(
                step,
                lambda: requests.post(
                    f"{self._address}/api/v1/{endpoint}",
                    data=data,
                    auth=BUDGET,
                    timeout=PATIENCE,
                    verify=self._authority,
                ),
                keep=False,
            )
            answer: dict[str, Any] = {}
            if response is not None and response.status_code < 500 and response.text:
                answer = response.json()
            if consent_id:
                answer["consent_id"] = consent_id
            exchange = replace(
                exchange,
                answer=answer,
                code=data.get("code", ""),
                error=str(answer.get("error", "")),
                expected=expected,
                is_retried=is_retried,
            )
            self._history.add(exchange)
            if exchange.status not in (None, 503) or time.monotonic() > until or self._halt.is_set():
                return exchange
            is_retried = True
            time.sleep(_PAUSE)

    def _ask(
        self, step: str, method: str, path: str, *, data: dict[str, Any] | None = None, request_id: str = ""
    ) -> tuple[Exchange, requests.Response | None]:
        if self._is_hasty:
            self._ask_and_leave(step, method, path, data, request_id)
        return self._exchange(
            step,
            lambda: self._browser.request(
                method, self._address + path, data=data, timeout=PATIENCE, allow_redirects=False
            ),
            request_id=request_id,
        )

    def _ask_and_leave(
        self, step: str, method: str, path: str, data: dict[str, Any] | None, request_id: str
    ) -> None:
        """Sends the request, and closes the connection before anything can be answered."""
        body = None if data is None else urlencode(data, doseq=True)
        cookies = "; ".join(f"{name}={value}" for name, value in self._browser.cookies.items())
        headers = {"Cookie": cookies, "Content-Type": "application/x-www-form-urlencoded"}
        began = time.monotonic()
        connection = http.client.HTTPSConnection(
            urlsplit(self._address).netloc,
            timeout=PATIENCE,
            context=ssl.create_default_context(cafile=self._authority),
        )
        with suppress(OSError):
            connection.request(method, path, body, headers)
        connection.close()
        self._history.add(
            Exchange(
                customer=self.name,
                step=step,
                began=began,
                took=0,
                status=None,
                request_id=request_id,
                error="left",
            )
        )

    def _exchange(
        self,
        step: str,
        ask: Callable[[], requests.Response],
        *,
        request_id: str = "",
        keep: bool = True,
    ) -> tuple[Exchange, requests.Response | None]:
        began = time.monotonic()
        try:
            response = ask()
        except requests.RequestException:
            response = None
        location = "" if response is None else response.headers.get("Location", "")
        carried = parse_qs(urlsplit(location).query) if location.startswith(CALLBACK) else {}
        exchange = Exchange(
            customer=self.name,
            step=step,
            began=began,
            took=time.monotonic() - began,
            status=None if response is None else response.status_code,
            request_id=request_id,
            code="".join(carried.get("code", [])),
            error="".join(carried.get("error", [])),
            names=frozenset() if response is None else frozenset(_NAMES.findall(response.text)),
        )
        return (self._history.add(exchange) if keep else exchange), response
