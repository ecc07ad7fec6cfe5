"""Chromium, driven by Playwright."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Self

from playwright.sync_api import Page, sync_playwright

from tests.engines.tab import Tab
from tests.support.launching import launch_chromium
from tests.support.running_accord import PATIENCE


class Chromium:
    """As a context manager: running inside the block."""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._browser = launch_chromium(stack.enter_context(sync_playwright()))
            stack.callback(self._browser.close)
            self._until_exit = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._until_exit.close()

    @contextmanager
    def new_tab(self, *, javascript: bool) -> Iterator[Tab]:
        context = self._browser.new_context(java_script_enabled=javascript, ignore_https_errors=True)
        context.set_default_timeout(PATIENCE * 1000)
        try:
            yield ChromiumTab(context.new_page())
        finally:
            context.close()


class ChromiumTab(Tab):
    def __init__(self, page: Page) -> None:
        self._page = page

    def open(self, address: str) -> None:
        self._page.goto(address)

    def click(self, selector: str) -> None:
        self._page.click(selector, no_wait_after=True)

    def double_click(self, selector: str) -> None:
        self._page.dblclick(selector, no_wait_after=True)

    def fill(self, selector: str, text: str) -> None:
        self._page.fill(selector, text)

    def press_back(self) -> None:
        self._page.go_back()

    @property
    def address(self) -> str:
        self._page.wait_for_timeout(0)  # lets Playwright hear where the browser is by now
        return self._page.url

    def find_text(self, selector: str) -> str | None:
        found = self._page.locator(selector)
        return found.first.inner_text() if found.count() else None
