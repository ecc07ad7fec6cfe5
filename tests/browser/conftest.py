"""One Chromium and one demo for all journeys; every browser is watched to its end."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Playwright, expect, sync_playwright

from tests.browser.visit import PATIENCE, Visit, visiting
from tests.support.launching import launch_chromium
from tests.support.running_demo import RunningDemo
from tools.gallery import write_gallery


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    """Until these tests are over: while it runs, no other test could use asyncio."""
    with sync_playwright() as running:
        expect.set_options(timeout=PATIENCE)
        yield running


@pytest.fixture(scope="package")
def browser(playwright: Playwright) -> Iterator[Browser]:
    launched = launch_chromium(playwright)
    yield launched
    launched.close()


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    with RunningDemo(tmp_path_factory.mktemp("demo") / "instance") as running:
        yield running


@pytest.fixture(scope="package")
def hasty_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    """One whose requests expire after five seconds."""
    instance = tmp_path_factory.mktemp("hasty_demo") / "instance"
    with RunningDemo(instance, ACCORD_REQUEST_LIFETIME="5") as running:
        yield running


@pytest.fixture(scope="package")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every page in every state, as files."""
    folder = tmp_path_factory.mktemp("gallery")
    write_gallery(folder)
    return folder


@pytest.fixture
def open_visit(browser: Browser, demo: RunningDemo) -> Iterator[Callable[..., Visit]]:
    """Opens a browser, with the options of a Playwright context. None of them may end with a fault."""
    with ExitStack() as stack:
        opened: list[Visit] = []

        def open_one(at: RunningDemo = demo, **options: Any) -> Visit:
            opened.append(stack.enter_context(visiting(browser, at, **options)))
            return opened[-1]

        yield open_one
        assert [fault for visit in opened for fault in visit.watch.faults()] == []


@pytest.fixture
def visit(open_visit: Callable[..., Visit]) -> Visit:
    return open_visit()


@pytest.fixture(params=["en", "fr"])
def lang(request: pytest.FixtureRequest) -> str:
    """The test runs once in each language."""
    return str(request.param)


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without JavaScript"])
def either_visit(request: pytest.FixtureRequest, open_visit: Callable[..., Visit]) -> Visit:
    """The test runs once in a browser with JavaScript and once without."""
    return open_visit(java_script_enabled=request.param)
