"""Where a customer gets when something is in the way: never a loop, never a dead end where there is a way back."""

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Playwright, expect

from tests.browser.visit import APPROVE, DENY, Visit
from tests.support import texts
from tests.support.customer import LOANS_APP_CALLBACK, LOANS_APP_REQUEST, carried_params
from tests.support.expected_pages import HEADINGS
from tests.support.launching import launch_chromium_with_profile
from tests.support.running_demo import RunningDemo


@pytest.fixture
def wary_visit(playwright: Playwright, demo: RunningDemo, tmp_path: Path) -> Visit:
    """A browser whose owner has blocked all cookies in its settings."""
    blocked = {"profile": {"default_content_setting_values": {"cookies": 2}}}
    (tmp_path / "Default").mkdir()
    (tmp_path / "Default" / "Preferences").write_text(json.dumps(blocked))
    return Visit.begin(demo, launch_chromium_with_profile(playwright, tmp_path))


def test_an_expired_request_leads_back_to_the_recipient_with_nothing_shared(
    open_visit: Callable[..., Visit], hasty_demo: RunningDemo
) -> None:
    visit = open_visit(hasty_demo, java_script_enabled=False)
    visit.connect()
    visit.sign_in()
    visit.page.wait_for_timeout(5_000)
    with visit.page.expect_response("**/consent/*") as answer:
        visit.approve()
    assert answer.value.status == 410
    assert visit.heading == HEADINGS["request_expired"]["en"]
    visit.press("#way-back")
    assert visit.is_at_recipient
    assert visit.error == "access_denied"
    assert visit.watch.codes() == []


def test_who_does_not_want_to_sign_in_goes_back_without_sharing(either_visit: Visit) -> None:
    visit = either_visit
    visit.connect()
    visit.press("#way-back")
    assert visit.is_at_recipient
    assert visit.error == "access_denied"
    assert visit.watch.codes() == []


def test_blocked_cookies_are_named_without_a_loop(wary_visit: Visit, lang: str) -> None:
    visit = wary_visit
    try:
        visit.connect(lang=lang)
        assert visit.heading == HEADINGS["cookies_blocked"]["en"]
        french = visit.page.locator("section[lang=fr-CA] h2")  # nobody knows which of the two it is
        expect(french).to_have_text(HEADINGS["cookies_blocked"]["fr"])
        pages = [
            urlsplit(request.url).path for request in visit.watch.requests if request.is_navigation_request()
        ]
        assert pages == ["/connect", "/api/v1/authorize", visit.path]
        visit.switch_language()
        assert visit.heading == HEADINGS["cookies_blocked"]["fr"]
        expect(french).to_have_count(0)
        assert visit.watch.faults() == []
    finally:
        visit.context.close()


@pytest.mark.parametrize(
    ("answer", "carried"),
    [(APPROVE, {"code", "state", "iss"}), (DENY, {"error", "error_description", "state", "iss"})],
    ids=["approved", "denied"],
)
def test_an_app_is_reached_by_a_link_since_browsers_follow_no_redirect_there(
    either_visit: Visit, answer: str, carried: set[str]
) -> None:
    visit = either_visit
    visit.ask(**LOANS_APP_REQUEST)
    visit.sign_in()
    visit.check("ACCOUNT_DETAILED")
    visit.press(answer)
    assert visit.heading == texts.CONTINUE_TO.of(recipient=texts.PRAIRIE_LOANS)["en"]
    link = visit.page.get_by_role("link", name=texts.CONTINUE["en"], exact=True)
    assert link.is_visible()
    address = link.get_attribute("href") or ""
    assert set(carried_params(address, LOANS_APP_CALLBACK)) == carried
    visit.switch_language()
    assert visit.heading == texts.CONTINUE_TO.of(recipient=texts.PRAIRIE_LOANS)["fr"]
    assert visit.page.locator("#continue").get_attribute("href") == address


def test_another_browser_cannot_open_the_request(visit: Visit, open_visit: Callable[..., Visit]) -> None:
    visit.open_form()
    stranger = open_visit()
    stranger.open_form()
    stranger.page.goto(visit.page.url)
    assert stranger.heading == HEADINGS["request_lost"]["en"]
