"""What every page and every response keeps, checked by the test client itself, so that no test can skip it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from html.parser import HTMLParser
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.domain.language import Language

# How the title of a page begins whose form came back, as a msgid.
_ERROR_KEY = "Error: %(title)s"
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


@dataclass(slots=True)
class Element:
    """An element of a page, with what it contains: other elements and words, in order."""

    tag: str
    attributes: dict[str, str]
    content: list["Element | str"] = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join("".join(_words(self)).split())

    def all(self, tag: str, **attributes: str) -> list["Element"]:
        """Every element within that has the tag and the attributes (`class_`-style names are not needed here)."""
        return matching(self.every()[1:], tag, **attributes)

    def one(self, tag: str, **attributes: str) -> "Element":
        found = self.all(tag, **attributes)
        assert len(found) == 1, f"{len(found)} of <{tag} {attributes}>"
        return found[0]

    def every(self) -> list["Element"]:
        """It and every element within, as they begin in the page."""
        found: list[Element] = []
        ahead = [self]
        while ahead:
            found.append(ahead.pop())
            ahead += [part for part in reversed(found[-1].content) if not isinstance(part, str)]
        return found


def matching(elements: list[Element], tag: str, **attributes: str) -> list[Element]:
    return [
        element
        for element in elements
        if element.tag == tag and attributes.items() <= element.attributes.items()
    ]


def _words(element: Element) -> Iterator[str]:
    for part in element.content:
        if isinstance(part, str):
            yield part
        else:
            yield from _words(part)


class _TreeBuilder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("#root", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        assert len(element.attributes) == len(attrs), f"<{tag}> repeats an attribute"
        self.open[-1].content.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].content.append(data)


@lru_cache(maxsize=8)
def parse_page(html: str) -> Element:
    """The elements of `html`, every one of which must be closed. Nobody changes them.

    A page that the client has just checked is not read again.
    """
    builder = _TreeBuilder()
    builder.feed(html)
    builder.close()
    assert builder.open == [builder.root], f"<{builder.open[-1].tag}> is not closed"
    return builder.root


class ContractClient(FlaskClient):
    """A test client that checks the contract on every answer it gets.

    `base_url` is where it believes the server to be; None is http://localhost.
    """

    base_url: str | None = None

    def bring_cookies_of(self, browser: "ContractClient") -> None:
        """Becomes the same browser, in front of another server."""
        for cookie in (browser.get_cookie(name) for name in ("accord", "__Host-accord")):
            if cookie is not None:
                self.set_cookie(cookie.key, cookie.value)

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        if self.base_url is not None:
            kwargs.setdefault("base_url", self.base_url)
        kwargs.setdefault("buffered", True)  # read to the end, and files are closed
        response = super().open(*args, **kwargs)
        check_headers(response)
        has_body = response.request.method != "HEAD"
        is_for_customers = response.request.path != "/dev/screens"
        if (
            is_for_customers
            and has_body
            and response.mimetype == "text/html"
            and response.status_code not in (301, 302, 303, 308)
        ):
            check_page(response)
        return response


def check_headers(response: TestResponse) -> None:
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    is_screen = response.request.path.startswith("/dev/screens/") and response.status_code == 200
    framed_by = "'self'" if is_screen else "'none'"
    for directive in (
        f"frame-ancestors {framed_by}",
        "base-uri 'none'",
        "object-src 'none'",
        "form-action 'self'",
    ):
        assert directive in policy
    assert "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "same-origin"
    assert response.headers["Cross-Origin-Opener-Policy"] == opener_policy_of(response.request.path)
    assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert len(response.headers["ob-trace-id"]) == 32
    assert "Access-Control-Allow-Origin" not in response.headers
    if "Set-Cookie" in response.headers:
        cookie = response.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert "Path=/" in cookie
        assert "Domain" not in cookie
        assert "no-store" in response.headers["Cache-Control"]
        assert "Cookie" in response.headers["Vary"]


def opener_policy_of(path: str) -> str:
    """On the way of a request for consent, the window stays that of the recipient which opened it."""
    served = re.sub("/+", "/", path)
    is_on_the_way = re.match(r"/(api/v1/authorize(/|$)|sign-in/|sign-out(/|$)|consent/)", served)
    return "unsafe-none" if is_on_the_way else "same-origin"


def check_page(response: TestResponse) -> None:
    elements = parse_page(response.text).every()[1:]

    def every(tag: str, **attributes: str) -> list[Element]:
        return matching(elements, tag, **attributes)

    (html,), (title,), (heading,) = every("html"), every("title"), every("h1")
    spoken = next(language for language in Language if language.tag == html.attributes["lang"])
    assert html.attributes["dir"] in ("ltr", "rtl")
    for part in every("section"):
        assert ("lang" in part.attributes) == ("dir" in part.attributes), "a direction is a language's"
    assert response.headers["Content-Language"] == html.attributes["lang"]
    if every("div", role="alert"):
        assert heading.text in title.text or title.text.startswith(_ERROR_KEY)
        assert not title.text.startswith(heading.text)
    else:
        assert title.text.startswith(heading.text)
    assert len(every("main")) == 1
    ids = [element.attributes["id"] for element in elements if "id" in element.attributes]
    assert len(ids) == len(set(ids)), "an id is repeated"
    labelled = {label.attributes.get("for") for label in every("label")}
    for control in every("input"):
        if control.attributes.get("type") != "hidden":
            assert control.attributes.get("id") in labelled, f"{control.attributes} has no label"
    for image in every("img"):
        assert "alt" in image.attributes
    for element in elements:
        assert "style" not in element.attributes
        assert not any(name.startswith("on") for name in element.attributes)
        for name in ("href", "src", "action"):
            for secret in ("client_id=", "redirect_uri="):
                is_switch = "hreflang" in element.attributes
                assert is_switch or secret not in element.attributes.get(name, "")
    for form in every("form", method="post"):
        assert form.all("input", name="csrf_token"), "a form without its token"
    for other in spoken.others:
        switches = [element for element in elements if element.attributes.get("lang", "") == other]
        is_there = any(element.tag in ("a", "button") for element in switches)
        assert is_there, f"no switch to {other.own_name}"
        for link in every("a", lang=other):
            assert link.attributes["hreflang"] == other, "a switch does not say where it leads"
