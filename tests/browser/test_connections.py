"""What one shares, seen and stopped in a browser, and what the recipient notices of it."""

from collections.abc import Callable
from typing import Final, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from app.web.consent.visible_text import visible_text
from tests.browser.test_keyboard import press_key, tab_to
from tests.browser.visit import Visit
from tests.support import texts

STOP_ALL = "a.button[href$='?stop=all']"
DETAILS = ".connection a[href^='/connections/']:not([href*=stop])"
ACTIVE = texts.YOU_SHARE_DATA_WITH.of(recipient=texts.BUDGET_COMPASS)
ENDED = texts.YOU_NO_LONGER_SHARE_WITH.of(recipient=texts.BUDGET_COMPASS)
REPEAT = "#repeat"

_SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")
_WITHOUT_WHAT_VARIES = """() => {
  document.querySelectorAll("[data-varies]").forEach((element) => element.remove());
  document.querySelectorAll("details").forEach((details) => { details.open = true; });
  return document.body.innerText;
}"""
_IS_TOO_WIDE = "() => document.documentElement.scrollWidth > document.documentElement.clientWidth"


def share(visit: Visit, *clusters: str, lang: str = "en", provider_id: str = "1000") -> None:
    visit.open_form(provider_id=provider_id, lang=lang)
    visit.check(*clusters)
    visit.approve()


def open_newest(visit: Visit) -> None:
    """The details of what was approved last."""
    visit.go("/connections")
    with visit.page.expect_navigation():
        visit.page.locator(DETAILS).first.click()


def refresh_at(recipient: Visit) -> str | None:
    """What the recipient hears when it asks for new tokens."""
    recipient.go_to_recipient("/connection")
    recipient.press_as_a_developer("#refresh")
    return recipient.page.locator("#outcome").get_attribute("data-outcome")


def look(visit: Visit) -> None:
    """Looks at the page as it is: narrow and wide, light and dark."""
    for width in (320, 1280):
        visit.page.set_viewport_size({"width": width, "height": 900})
        assert not visit.page.evaluate(_IS_TOO_WIDE), f"{visit.path} scrolls sideways at {width}"
        for scheme in _SCHEMES:
            visit.page.emulate_media(color_scheme=scheme)
            found = Axe().run(visit.page)
            assert found.violations_count == 0, found.generate_report()


def test_a_customer_stops_sharing_and_the_recipient_gets_nothing_more(either_visit: Visit, lang: str) -> None:
    visit = either_visit
    share(visit, "TRANSACTIONS", lang=lang)
    assert visit.granted == ["ACCOUNT_BASIC", "TRANSACTIONS"]
    open_newest(visit)
    assert visit.lang == f"{lang}-CA"
    assert visit.heading == ACTIVE[lang]
    address = visit.path
    visit.press(STOP_ALL)
    visit.press("button[value=nothing]")
    assert (visit.path, visit.heading) == (address, ACTIVE[lang])
    assert refresh_at(visit) == "refreshed"
    visit.go(address)
    visit.press(STOP_ALL)
    visit.press("button[value=all]")
    assert (visit.path, visit.heading) == (address, ENDED[lang])
    assert visit.page.locator("main .lead").first.inner_text().startswith(texts.YOU_STOPPED.beginning[lang])
    expect(visit.page.locator("main .lead").first).to_be_focused()
    assert refresh_at(visit) == "invalid_grant"


def test_a_customer_stops_one_type_of_data_and_the_recipient_gets_the_rest(either_visit: Visit) -> None:
    visit = either_visit
    share(visit, "TRANSACTIONS", "STATEMENTS")
    open_newest(visit)
    visit.press("a[href$='?stop=TRANSACTIONS']")
    visit.press("button[value=TRANSACTIONS]")
    said = visit.page.locator("main .lead").nth(1)
    assert texts.TRANSACTIONS["en"] in said.inner_text()
    expect(said).to_be_focused()
    assert refresh_at(visit) == "refreshed"
    assert visit.granted == ["ACCOUNT_BASIC", "STATEMENTS"]


def test_stopping_goes_by_keyboard_and_enter_alone_stops_nothing(visit: Visit) -> None:
    share(visit, "TRANSACTIONS")
    visit.go("/connections")
    tab_to(visit.page, DETAILS)
    press_key(visit, "Enter")
    tab_to(visit.page, STOP_ALL)
    press_key(visit, "Enter")
    tab_to(visit.page, "button[name=stop]")
    press_key(visit, "Enter")
    assert visit.heading == ACTIVE["en"]
    tab_to(visit.page, STOP_ALL)
    press_key(visit, "Enter")
    tab_to(visit.page, "button[value=all]")
    press_key(visit, "Space")
    assert visit.heading == ENDED["en"]


def test_the_two_answers_are_alike(visit: Visit) -> None:
    share(visit)
    open_newest(visit)
    visit.press(STOP_ALL)
    for width in (320, 1280):
        visit.page.set_viewport_size({"width": width, "height": 900})
        keep, stop = (button.bounding_box() for button in visit.page.locator("button[name=stop]").all())
        assert keep is not None
        assert stop is not None
        assert (keep["width"], keep["height"]) == (stop["width"], stop["height"])
        if width == 320:  # above each other where there is no room
            assert keep["x"] == stop["x"]
        else:
            assert keep["y"] == stop["y"]


def test_signing_in_without_a_request_and_out_again(either_visit: Visit, lang: str) -> None:
    visit = either_visit
    visit.go(f"/connections?lang={lang}")
    visit.press("main a[href*='/connections/sign-in/2000']")
    visit.try_to_sign_in("sam")
    assert (visit.path, visit.lang) == ("/connections", f"{lang}-CA")
    assert "Sam Nguyen" in visit.page.locator("main").inner_text()
    visit.press("main form button")
    assert visit.lang == f"{lang}-CA"
    visit.go("/connections")
    assert visit.page.locator("main a[href*='/connections/sign-in/2000']").count() == 1


def test_the_form_of_a_repeat_request_leads_to_what_is_shared(visit: Visit, lang: str) -> None:
    share(visit, "TRANSACTIONS", lang=lang)
    visit.open_form("ACCOUNT_BASIC", "STATEMENTS", lang=lang)
    expect(visit.page.locator(REPEAT)).to_be_visible()
    expect(visit.page.locator("#no-longer-asked li")).to_have_count(1)
    visit.press("main a[href='/connections']")
    assert visit.path == "/connections"


@pytest.mark.parametrize("is_repeat", [False, True], ids=["first", "repeat"])
def test_the_evidence_is_what_the_browser_shows(
    open_visit: Callable[..., Visit], lang: str, is_repeat: bool
) -> None:
    """Without the script, which counts and names what is checked in the place of “what you check”."""
    visit = open_visit(java_script_enabled=False)
    provider_id = "2000"
    if is_repeat:
        share(visit, "TRANSACTIONS", lang=lang, provider_id=provider_id)
    visit.open_form("ACCOUNT_BASIC", "STATEMENTS", lang=lang, provider_id=provider_id)
    response = visit.page.reload()
    assert response is not None
    kept = visible_text(response.text()).replace("[ ] ", "")
    assert visit.page.evaluate(_WITHOUT_WHAT_VARIES).split() == kept.split()


def test_the_receipt_prints_in_both_languages_and_without_what_only_a_screen_can_do(visit: Visit) -> None:
    share(visit)
    open_newest(visit)
    page = visit.page
    page.emulate_media(media="print")
    for unprinted in ("#stop", ".language", STOP_ALL, "a[href$='receipt.json']", "a[href$='end-date.ics']"):
        expect(page.locator(unprinted)).to_be_hidden()
    for receipt in texts.RECEIPT.values():
        expect(page.get_by_role("heading", name=receipt)).to_be_visible()
    expect(page.locator("dl.facts")).to_have_count(2)


def test_the_reminder_is_saved_as_a_file(visit: Visit) -> None:
    share(visit)
    open_newest(visit)
    with visit.page.expect_download() as saved:
        visit.page.click("a[href$='end-date.ics']")
    assert saved.value.suggested_filename == "end-date.ics"


def test_axe_finds_nothing_on_any_page_and_none_scrolls_sideways(visit: Visit, lang: str) -> None:
    visit.go(f"/connections?lang={lang}")
    look(visit)
    visit.go(f"/connections/nothing?lang={lang}")
    look(visit)
    visit.open_form(lang=lang, provider_id="2000")
    visit.check("ACCOUNT_DETAILED", "TRANSACTIONS", "STATEMENTS", "CUSTOMER_CONTACT", "CUSTOMER_PERSONAL")
    visit.approve()
    visit.open_form("ACCOUNT_BASIC", "TRANSACTIONS", "STATEMENTS", lang=lang, provider_id="2000")
    look(visit)
    visit.go("/connections")
    look(visit)
    open_newest(visit)
    look(visit)
    address = visit.path
    for what in ("TRANSACTIONS", "ACCOUNT_BASIC"):
        visit.go(f"{address}?stop={what}")
        look(visit)
    visit.go(f"{address}?stop=TRANSACTIONS")
    visit.press("button[value=TRANSACTIONS]")
    look(visit)
    visit.press(STOP_ALL)
    visit.page.evaluate("document.querySelector('[name=csrf_token]').value = 'another'")
    visit.press("button[value=all]")
    look(visit)
    visit.go(f"{address}?stop=all")
    visit.press("button[value=all]")
    look(visit)
    visit.go("/connections")
    look(visit)
