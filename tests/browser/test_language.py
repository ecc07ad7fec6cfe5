"""The switch to the other language, which loses nothing."""

from tests.browser.visit import Visit


def test_the_boxes_stay_checked(either_visit: Visit) -> None:
    visit = either_visit
    visit.open_form(lang="en")
    visit.check("STATEMENTS", "TRANSACTIONS")
    request_id = visit.request_id
    visit.switch_language()
    assert visit.lang == "fr-CA"
    assert visit.request_id == request_id
    assert visit.checked == ["TRANSACTIONS", "STATEMENTS"]
    visit.page.uncheck("[value=STATEMENTS]")
    visit.switch_language()
    assert visit.lang == "en-CA"
    assert visit.checked == ["TRANSACTIONS"]
    visit.approve()
    assert visit.granted == ["ACCOUNT_BASIC", "TRANSACTIONS"]


def test_the_pages_that_follow_are_in_the_language_chosen_at_sign_in(either_visit: Visit) -> None:
    visit = either_visit
    visit.connect(lang="fr")
    visit.switch_language()
    assert visit.heading == "Sign in"
    visit.sign_in()
    assert visit.lang == "en-CA"


def test_another_tabs_request_keeps_its_own_language(visit: Visit) -> None:
    first, second = visit, visit.another_tab()
    first.open_form(lang="en")
    second.open_form(lang="fr")
    first.page.reload()
    assert (first.lang, second.lang) == ("en-CA", "fr-CA")
    first.switch_language()
    second.switch_language()
    first.page.reload()
    assert (first.lang, second.lang) == ("fr-CA", "en-CA")
