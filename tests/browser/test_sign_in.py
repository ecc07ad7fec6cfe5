"""Who is the customer, as the customer sees it."""

from playwright.sync_api import expect

from tests.browser.visit import Visit
from tests.support import texts
from tests.support.expected_pages import HEADINGS


def test_a_failure_keeps_the_user_name_and_takes_the_focus_to_what_is_wrong(either_visit: Visit) -> None:
    visit, page = either_visit, either_visit.page
    visit.connect()
    request_id = visit.request_id
    visit.try_to_sign_in("alex.tremblay", "maple-syrup")
    assert page.title().startswith(texts.ERROR_IN_TITLE.of(title=HEADINGS["sign_in"])["en"])
    problem = page.get_by_role("alert")
    expect(problem).to_be_focused()
    expect(problem).to_contain_text(texts.SIGN_IN_FAILED["en"])
    assert page.input_value("#user_name") == "alex.tremblay"
    assert page.input_value("#password") == ""
    problem.get_by_role("link").click()
    expect(page.locator("#user_name")).to_be_focused()
    visit.sign_in()
    assert visit.request_id == request_id


def test_a_user_name_and_a_password_can_be_pasted(visit: Visit) -> None:
    visit.connect()
    for field in ("#user_name", "#password"):
        assert visit.page.locator(field).evaluate("""(element) =>
            element.dispatchEvent(new ClipboardEvent("paste", { bubbles: true, cancelable: true }))""")


def test_many_failures_are_slowed_and_the_page_says_for_how_long(visit: Visit, lang: str) -> None:
    visit.connect(lang=lang)
    for _ in range(6):
        visit.try_to_sign_in(f"robin-{lang}", "maple-syrup")
    said = texts.TOO_MANY_TRIES.of(time="5 minutes")[lang]
    expect(visit.page.get_by_role("alert")).to_contain_text(said)


def test_not_you_signs_out_and_returns_to_the_same_request(either_visit: Visit) -> None:
    visit = either_visit
    visit.open_form()
    visit.check("TRANSACTIONS")
    request_id = visit.request_id
    visit.press(".signed-in button")
    assert visit.heading.startswith(HEADINGS["sign_in"]["en"])
    assert visit.request_id == request_id
    visit.sign_in("sam")
    assert visit.request_id == request_id
    expect(visit.page.locator(".signed-in")).to_contain_text(
        texts.SIGNED_IN_AS.of(customer="Sam Nguyen")["en"]
    )
    assert visit.checked == []
    visit.approve()
    assert visit.granted == ["ACCOUNT_BASIC"]
