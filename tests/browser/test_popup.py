"""A recipient that opens its request in a window of its own keeps that window until the answer is there."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.visit import APPROVE, CONTINUE, DENY, PATIENCE
from tests.support import texts
from tests.support.builders import a_query
from tests.support.running_demo import RunningDemo

# The same page is where the customer begins and, in the window, where the answer arrives.
_PAGE = b"""<!doctype html><html lang="en"><title>A recipient</title><h1>A recipient</h1><script>
addEventListener("message", (event) => { globalThis.answer = event.data; });
if (opener) { opener.postMessage(location.search, location.origin); close(); }
</script></html>"""


class _Recipient(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(_PAGE)))
        self.end_headers()
        self.wfile.write(_PAGE)

    def log_message(self, *_: object) -> None:
        """Nothing to the terminal."""


@contextmanager
def a_recipient() -> Iterator[str]:
    """The origin of a recipient on this machine, which is not Accord's."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Recipient) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def recipient(browser: Browser) -> Iterator[Page]:
    with a_recipient() as origin, browser.new_context() as context:
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.goto(origin)
        yield page


def open_request(recipient: Page, demo: RunningDemo, **changes: str) -> Page:
    """The window that the recipient opens, and keeps as `popup`."""
    query = a_query(
        client_id=changes.pop("client_id", "dc-own-app"), redirect_uri=f"{recipient.url}callback", **changes
    )
    with recipient.expect_popup() as opened:
        recipient.evaluate(
            "(url) => { globalThis.popup = open(url, 'consent', 'width=500,height=700'); }",
            f"{demo.issuer}/api/v1/authorize?{query}",
        )
    opened.value.wait_for_load_state()
    return opened.value


def is_kept(recipient: Page, popup: Page) -> bool:
    """Whether the recipient still has its window, and the window its recipient."""
    return not recipient.evaluate("popup.closed") and popup.evaluate("opener !== null")


def sign_in(popup: Page) -> None:
    popup.fill("#user_name", "alex")
    popup.fill("#password", "maple-syrup")
    press(popup, "main form button")
    if popup.locator("[name=account]").count():
        popup.locator("[name=account]").first.check()
        press(popup, CONTINUE)


def press(popup: Page, selector: str) -> None:
    with popup.expect_navigation():
        popup.click(selector)


@pytest.mark.parametrize(("answer", "name"), [(APPROVE, "code"), (DENY, "error")])
def test_the_answer_arrives_in_the_window_that_the_recipient_opened(
    recipient: Page, demo: RunningDemo, answer: str, name: str
) -> None:
    popup = open_request(recipient, demo)
    assert "/sign-in/" in popup.url
    assert is_kept(recipient, popup)
    press(popup, ".language:not(.enter)")
    assert is_kept(recipient, popup)
    sign_in(popup)
    assert "/consent/" in popup.url
    assert is_kept(recipient, popup)
    press(popup, ".signed-in button")
    sign_in(popup)
    assert is_kept(recipient, popup)
    if popup.locator("[name=scope]").count():
        popup.locator("[name=scope]").first.check()
    popup.click(answer)
    recipient.wait_for_function("globalThis.answer !== undefined")
    params = parse_qs(urlsplit(recipient.evaluate("answer")).query)
    assert params["state"] == ["af0ifjsldkj"]
    assert name in params
    recipient.wait_for_function("popup.closed")


def test_an_error_on_the_way_leaves_the_recipient_its_window(recipient: Page, demo: RunningDemo) -> None:
    popup = open_request(recipient, demo, client_id="nobody")
    assert popup.locator("h1").inner_text() == texts.UNSAFE_CLIENT["en"]
    assert is_kept(recipient, popup)


def test_what_a_customer_shares_is_no_business_of_the_window_that_led_there(
    recipient: Page, demo: RunningDemo
) -> None:
    popup = open_request(recipient, demo)
    sign_in(popup)
    assert is_kept(recipient, popup)
    press(popup, "main a[href='/connections']")
    assert popup.evaluate("opener === null")
    recipient.wait_for_function("popup.closed")
