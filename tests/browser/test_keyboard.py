"""With the keyboard alone, and without JavaScript."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.visit import APPROVE, DENY, Visit

_CONTROLS = """() => {
  const controls = [...document.querySelectorAll("a, button, input:not([type=hidden]), summary")];
  return controls.filter((control) => control.tabIndex >= 0).length;
}"""
_FOCUS = """() => {
  const controls = [...document.querySelectorAll("a, button, input:not([type=hidden]), summary")];
  const focused = document.activeElement;
  const place = focused.getBoundingClientRect();
  return {
    place: controls.filter((control) => control.tabIndex >= 0).indexOf(focused),
    name: focused.outerHTML,
    isMarked: getComputedStyle(focused).outlineStyle !== "none",
    isInView: place.top >= 5 && place.bottom <= innerHeight - 5,  // with its outline
    isLargeEnough: place.width >= 24 && place.height >= 24,
  };
}"""


def tab_to(page: Page, selector: str) -> None:
    for _ in range(page.evaluate(_CONTROLS) + 1):
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the Tab key does not reach {selector}")


def press_key(visit: Visit, key: str) -> None:
    with visit.page.expect_navigation():
        visit.page.keyboard.press(key)


def test_the_tab_key_reaches_every_control_in_the_order_of_the_page_and_shows_where_it_is(
    visit: Visit,
) -> None:
    visit.open_form()
    count = visit.page.evaluate(_CONTROLS)
    assert count > 20
    for place in range(count):
        visit.page.keyboard.press("Tab")
        focus = visit.page.evaluate(_FOCUS)
        assert focus["place"] == place, focus
        assert focus["isMarked"], focus
        assert focus["isInView"], focus
        assert focus["isLargeEnough"], focus


def test_the_whole_way_goes_by_keyboard(visit: Visit) -> None:
    page = visit.page
    visit.go("/")
    tab_to(page, "#start")
    press_key(visit, "Enter")
    tab_to(page, "#connect-button")
    press_key(visit, "Enter")
    tab_to(page, "#user_name")
    page.keyboard.type("alex")
    page.keyboard.press("Tab")
    page.keyboard.type("maple-syrup")
    press_key(visit, "Enter")
    visit.show_boxes()
    tab_to(page, "[value=TRANSACTIONS]")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("[data-cluster=TRANSACTIONS] .items")).to_be_visible()
    tab_to(page, DENY)
    page.keyboard.press("Tab")
    assert page.evaluate("(approve) => document.activeElement.matches(approve)", APPROVE)
    press_key(visit, "Space")
    assert visit.granted == ["ACCOUNT_BASIC", "TRANSACTIONS"]


def test_enter_in_a_box_answers_nothing_and_says_what_is_missing(either_visit: Visit) -> None:
    visit, page = either_visit, either_visit.page
    visit.open_form()
    visit.check("STATEMENTS")
    page.focus("[value=STATEMENTS]")
    press_key(visit, "Enter")
    assert page.title().startswith("Error: Share your data with Budget Compass?")
    expect(page.get_by_role("alert")).to_be_focused()
    assert visit.checked == ["STATEMENTS"]
    assert visit.watch.callbacks() == []
    page.go_back()
    assert page.title().startswith("Share your data with Budget Compass?")
    assert visit.checked == ["STATEMENTS"]
    page.go_forward()
    page.click(".problem a")
    page.keyboard.press("Tab")
    expect(page.locator(DENY)).to_be_focused()
    visit.approve()
    assert visit.granted == ["ACCOUNT_BASIC", "STATEMENTS"]


def test_the_whole_way_goes_without_javascript(open_visit: Callable[..., Visit]) -> None:
    visit = open_visit(java_script_enabled=False)
    visit.go("/?lang=fr")
    visit.press("#start")
    visit.page.click("#developers > summary")
    for cluster in ("INVESTMENTS", "CUSTOMER_PERSONAL"):
        visit.page.check(f"[value={cluster}]")
    visit.press("#connect-button")
    visit.try_to_sign_in("alex", "not the password")
    assert visit.page.input_value("#user_name") == "alex"
    visit.sign_in()
    items = visit.page.locator("[data-cluster=INVESTMENTS] .items")
    expect(items).to_be_hidden()
    visit.page.click("[data-cluster=INVESTMENTS] summary")
    expect(items).to_be_visible()
    visit.check("INVESTMENTS")
    visit.switch_language()
    visit.check("CUSTOMER_PERSONAL")
    visit.approve()
    assert visit.granted == ["ACCOUNT_BASIC", "INVESTMENTS", "CUSTOMER_PERSONAL"]
