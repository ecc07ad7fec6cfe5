"""A customer is signed out everywhere by an operator."""

import json

from flask import Flask

from tests.commands.consents import Operate
from tests.support.applications import a_browser
from tests.support.customer import BrowserCustomer


def test_a_customer_is_signed_out_of_every_browser_and_nobody_else_is(operate: Operate, app: Flask) -> None:
    alexes = [BrowserCustomer(a_browser(app)) for _ in range(2)]
    sam = BrowserCustomer(a_browser(app))
    requests = [alex.signed_in_request() for alex in alexes]
    sams_request = sam.begin()
    sam.sign_in(sams_request, "sam")
    ended = operate("sessions", "end", "--customer", "1000/maple-0001")
    assert (ended.exit_code, ended.stdout) == (0, "1000/maple-0001: 2 sessions ended\n")
    event = json.loads(ended.stderr)
    assert (event["event"], event["actor"], event["sessions"]) == ("sessions_ended", "operator", 2)
    assert "maple-0001" not in ended.stderr
    for alex, request_id in zip(alexes, requests, strict=True):
        assert alex.client.get(f"/consent/{request_id}").status_code == 404
    assert sam.client.get(f"/consent/{sams_request}").status_code == 200
