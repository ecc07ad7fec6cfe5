"""A customer at a browser: from the recipient's link to their answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

from playwright.sync_api import Browser, BrowserContext, Page

from app.domain.clusters import DataCluster
from tests.browser.watch import Watch
from tests.support.builders import a_query
from tests.support.running_demo import RunningDemo

PATIENCE = 20_000  # milliseconds

APPROVE = "button[name=decision][value=approve]"
CONTINUE = "#answer button[value=next]"
CHANGE = "button[name=go][value=change]"
DENY = "button[name=decision][value=deny]"
_UNTIL_EXPIRED = """() => new Promise((resolve) => {
  const moment = Date.parse(document.querySelector("#time-left time").dateTime);
  setTimeout(resolve, moment - Date.now() + 1);
})"""

ENGLISH_OR_FRENCH = ".language, #other-language"


@dataclass(frozen=True, slots=True)
class Visit:
    """One tab. What is done in it waits for the page that it leads to."""

    demo: RunningDemo
    context: BrowserContext
    watch: Watch
    page: Page

    @classmethod
    def begin(cls, demo: RunningDemo, context: BrowserContext) -> Self:
        context.set_default_timeout(PATIENCE)
        hosts = {urlsplit(origin).netloc for origin in (demo.issuer, demo.recipient, demo.bank)}
        watch = Watch(context, hosts=hosts)
        return cls(demo, context, watch, page=context.new_page())

    def another_tab(self) -> Self:
        return replace(self, page=self.context.new_page())

    def go(self, address: str) -> None:
        """Opens a page of Accord's."""
        self.page.goto(self.demo.issuer + address)

    def go_to_recipient(self, address: str) -> None:
        self.page.goto(self.demo.recipient + address)

    def connect(self, *clusters: str, provider_id: str = "1000", lang: str = "en") -> None:
        """Follows a link of the recipient's that asks for `clusters`; for all of them when none is named."""
        scope = " ".join(clusters or DataCluster)
        query = [("provider_id", provider_id), ("lang", lang), ("scope", scope)]
        self.go_to_recipient(f"/connect?{urlencode(query)}")

    def ask(self, **changes: str | None) -> None:
        """Follows a link of another recipient's, or one that is not as it should be."""
        self.go(f"/api/v1/authorize?{a_query(**changes)}")

    def wait_until_expired(self) -> None:
        """On an open form, until the moment that it names."""
        self.page.evaluate(_UNTIL_EXPIRED)

    def press(self, selector: str) -> None:
        """Presses a button or follows a link, and waits for the page that comes."""
        with self.page.expect_navigation():
            self.page.click(selector)

    def press_as_a_developer(self, selector: str) -> None:
        """Presses a button of the recipient's that is folded away from people."""
        if self.page.locator("#developers:not([open])").count():
            self.page.click("#developers > summary")
        self.press(selector)

    def try_to_sign_in(self, user_name: str = "alex", password: str = "maple-syrup") -> None:
        self.page.fill("#user_name", user_name)
        self.page.fill("#password", password)
        self.press("main form button")

    def sign_in(self, user_name: str = "alex") -> None:
        """Signs in, unless this browser has."""
        if "/sign-in/" in self.page.url:
            self.try_to_sign_in(user_name)
        assert "/consent/" in self.page.url, self.page.url
        self.show_boxes()

    def open_form(self, *clusters: str, provider_id: str = "1000", lang: str = "en") -> None:
        self.connect(*clusters, provider_id=provider_id, lang=lang)
        self.sign_in()

    def show_boxes(self) -> None:
        """Opens the boxes, also where somebody has shared the same before, and chooses all accounts."""
        if self.page.locator(CHANGE).count():
            self.press(CHANGE)
        if self.page.locator("[name=account]").count():
            for box in self.page.locator("[name=account]").all():
                box.check()
            self.press(CONTINUE)

    def check(self, *clusters: str) -> None:
        self.show_boxes()
        for cluster in clusters:
            self.page.check(f"[name=scope][value={cluster}]")

    def approve(self) -> None:
        """Approves. Asked whether no box at all was meant, the customer says yes."""
        self.press(APPROVE)
        if "answer=unchecked" in self.page.url:
            self.press(f"#pause {APPROVE}")

    def deny(self) -> None:
        self.press(DENY)

    def switch_language(self) -> None:
        self.press(ENGLISH_OR_FRENCH)

    @property
    def heading(self) -> str:
        """The heading, with its whitespace as `texts` has it."""
        return " ".join(self.page.locator("h1").inner_text().split())

    @property
    def lang(self) -> str | None:
        return self.page.locator("html").get_attribute("lang")

    @property
    def request_id(self) -> str:
        return urlsplit(self.page.url).path.split("/")[2]

    @property
    def path(self) -> str:
        return urlsplit(self.page.url).path

    @property
    def is_at_recipient(self) -> bool:
        return self.page.url.startswith(f"{self.demo.recipient}/")

    @property
    def error(self) -> str | None:
        """What the recipient says that went wrong."""
        return self.page.locator("#error").get_attribute("data-error")

    @property
    def boxes(self) -> list[str]:
        """The clusters that can be chosen, in the order of the page."""
        return self._values("[name=scope]")

    @property
    def checked(self) -> list[str]:
        return self._values("[name=scope]:checked")

    @property
    def granted(self) -> list[str]:
        """What the recipient says that it was given."""
        clusters = self.page.locator("#granted [data-cluster]").all()
        return [cluster.get_attribute("data-cluster") or "" for cluster in clusters]

    def _values(self, selector: str) -> list[str]:
        return [box.get_attribute("value") or "" for box in self.page.locator(selector).all()]


@contextmanager
def visiting(browser: Browser, demo: RunningDemo, **options: Any) -> Iterator[Visit]:
    """A browser with an empty cookie jar. Motion is off: colours in transition have no contrast to measure."""
    context = browser.new_context(reduced_motion="reduce", **options)
    try:
        yield Visit.begin(demo, context)
    finally:
        context.close()
