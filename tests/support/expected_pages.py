"""How each page is known, in both languages, and what leads away from it."""

from collections.abc import Mapping

from werkzeug.test import TestResponse

from tests.support import texts
from tests.support.page_contract import Element, parse_page

# By the page's template: the beginning of its h1.
HEADINGS: dict[str, Mapping[str, str]] = {
    "accounts": texts.WHICH_ACCOUNTS,
    "no_account": texts.NO_ACCOUNT,
    "no_investments": texts.NO_ACCOUNT_HAS_WHAT_IS_NEEDED.beginning,
    "form": texts.SHARE_YOUR_DATA.beginning,
    "renewal": texts.KEEP_SHARING_YOUR_DATA.beginning,
    "answered": texts.ALREADY_ANSWERED,
    "continue": texts.CONTINUE_TO.beginning,
    "sign_in": texts.SIGN_IN,
    "signed_out": texts.SIGNED_OUT,
    "complaints": texts.HOW_TO_COMPLAIN,
    "choose": texts.DATA_SHARING,
    "connections": texts.DATA_SHARING,
    "active": texts.YOU_SHARE_DATA_WITH.beginning,
    "ended": texts.YOU_NO_LONGER_SHARE_WITH.beginning,
    "stop": texts.STOP_SHARING_WITH.beginning,
    "stop_account": texts.STOP_SHARING_THIS_ACCOUNT.beginning,
    "stop_one": texts.STOP_SHARING_ONE.beginning,
    "connection_unknown": texts.CONNECTION_UNKNOWN,
    "stop_refused": texts.FORM_REFUSED,
    "not_stopped": texts.NOT_STOPPED,
    "bad_request": texts.BAD_REQUEST,
    "cookies_blocked": texts.COOKIES_BLOCKED,
    "form_refused": texts.FORM_REFUSED,
    "not_allowed": texts.NOT_ALLOWED,
    "not_found": texts.NOT_FOUND,
    "request_expired": texts.REQUEST_EXPIRED,
    "request_lost": texts.REQUEST_LOST,
    "session_over": texts.SESSION_OVER,
    "sign_in_lost": texts.SIGN_IN_LOST,
    "sign_in_used": texts.SIGN_IN_USED,
    "not_signed_in": texts.NOT_SIGNED_IN,
    "unproven": texts.UNPROVEN,
    "not_asked": texts.NOT_ASKED_BY_BANK.of(provider=texts.HARBOUR),
    "bank_unavailable": texts.BANK_UNAVAILABLE.of(provider=texts.HARBOUR),
    "bank_busy": texts.BANK_BUSY.of(provider=texts.HARBOUR),
    "too_many": texts.TOO_MANY,
    "unavailable": texts.UNAVAILABLE,
    "unexpected": texts.UNEXPECTED,
    "unsafe_client": texts.UNSAFE_CLIENT,
    "unsafe_redirect": texts.UNSAFE_REDIRECT,
}

# Where an answer may have been given before.
_ASSURANCES = dict.fromkeys(
    ("cookies_blocked", "request_lost", "session_over", "unavailable", "unexpected"), texts.NOTHING_NEW
)


def check_page(response: TestResponse, name: str, lang: str, *, status: int = 200) -> Element:
    """The elements of the answer, which is the page `name` in the language `lang`."""
    assert response.status_code == status, response.text
    assert response.mimetype == "text/html"
    page = parse_page(response.text)
    assert page.one("html").attributes["lang"] == f"{lang}-CA"
    assert page.one("h1").text.startswith(HEADINGS[name][lang]), page.one("h1").text
    return page


def check_error_page(
    response: TestResponse,
    name: str,
    lang: str,
    *,
    status: int,
    assurance: Mapping[str, str] | None = None,
) -> Element:
    """The same for a page that says what went wrong: it begins with whether anything was shared."""
    page = check_page(response, name, lang, status=status)
    said = assurance or _ASSURANCES.get(name, texts.NOTHING_SHARED)
    assert page.one("main").all("p")[0].text.startswith(said[lang])
    digits = response.headers["ob-trace-id"][:12].upper()
    reference = f"{digits[:4]}-{digits[4:8]}-{digits[8:]}"
    assert texts.REFERENCE_NUMBER.of(reference=reference)[lang] in page.one("main").text
    assert "Location" not in response.headers
    return page


def complaints_page(lang: str) -> str:
    """Where a page leads that is about no bank."""
    return f"/complaints?lang={lang}"


def ways_out(page: Element) -> list[str]:
    """Where the page's links and forms lead, the switch to the other language apart."""
    links = [link.attributes["href"] for link in page.all("a") if "hreflang" not in link.attributes]
    return links + [form.attributes["action"] for form in page.all("form")]


def check_json(response: TestResponse, error: str, *, status: int) -> None:
    """A refusal for machines (RFC 6749 5.2)."""
    assert response.status_code == status, response.text
    assert response.mimetype == "application/json"
    assert response.json is not None
    assert response.json.keys() == {"error", "error_description"}
    assert response.json["error"] == error
    assert response.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in response.headers
