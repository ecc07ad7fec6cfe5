"""WebKit as GTK has it, in a screen of its own, driven over the WebDriver protocol."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import requests

from app.development.embedded import start_child, stop_child
from tests.engines.tab import Tab, soon
from tests.support.ports import free_port
from tests.support.running_accord import PATIENCE
from tools.programs import MINI_BROWSER, SCREEN, WEBKIT

_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the name that the protocol gives to a reference
# As large as the screen, and taller than every page: a double click is made where a button is, without scrolling.
_WINDOW = {"x": 0, "y": 0, "width": 1280, "height": 3000}
# Between two pages there is nothing to be found in, and what was found before is gone.
_BETWEEN_PAGES = (
    "no such element",
    "no such frame",
    "stale element reference",
    "unknown error",
    "javascript error",
)
# A question that a page takes with it when it goes is never answered: it is soon asked again.
_SOON = 3.0  # seconds


class WebDriverError(Exception):
    """The driver refused a command. `code` is the specification's word for why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class WebKit:
    """As a context manager: a screen and a driver inside the block; each tab is a browser of its own."""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
            display = _start_screen(stack, folder / "screen.log")
            self._address = _start_driver(stack, folder, display)
            self._until_exit = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._until_exit.close()

    @contextmanager
    def new_tab(self, *, javascript: bool) -> Iterator[Tab]:
        # Of an https server, WebKit keeps no page in memory that says no-store; these servers have http.
        settings = {"javascript-markup": javascript, "page-cache": False}
        switches = [f"--enable-{name}={str(is_on).lower()}" for name, is_on in settings.items()]
        arguments = ["--automation", *switches]
        wanted = {
            "acceptInsecureCerts": True,
            # The driver would wait for good when Back crosses a Cross-Origin-Opener-Policy; the tests wait.
            "pageLoadStrategy": "none",
            "webkitgtk:browserOptions": {"binary": MINI_BROWSER.executable, "args": arguments},
        }
        begun = _send("POST", f"{self._address}/session", capabilities={"alwaysMatch": wanted})
        session = f"{self._address}/session/{begun['sessionId']}"
        try:
            _send("POST", f"{session}/window/rect", **_WINDOW)
            yield WebKitTab(session)
        finally:
            _send("DELETE", session)


class WebKitTab(Tab):
    def __init__(self, session: str) -> None:
        self._session = session

    def open(self, address: str) -> None:
        self._post("url", url=address)

    def click(self, selector: str) -> None:
        self._post(f"element/{self._wait_for(selector)}/click")

    def double_click(self, selector: str) -> None:
        element = {_ELEMENT: self._wait_for(selector)}
        move = {"type": "pointerMove", "x": 0, "y": 0, "origin": element}
        press = [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        self._post("actions", actions=[{"type": "pointer", "id": "mouse", "actions": [move, *press, *press]}])

    def fill(self, selector: str, text: str) -> None:
        self._post(f"element/{self._wait_for(selector)}/value", text=text)

    def press_back(self) -> None:
        self._post("back")

    @property
    def address(self) -> str:
        return str(_send("GET", f"{self._session}/url"))

    def find_text(self, selector: str) -> str | None:
        try:
            return str(_send("GET", f"{self._session}/element/{self._find(selector)}/text", patience=_SOON))
        except requests.ReadTimeout:
            return None
        except WebDriverError as error:
            if error.code not in _BETWEEN_PAGES:
                raise
            return None

    def _find(self, selector: str) -> str:
        found = self._post("element", patience=_SOON, using="css selector", value=selector)
        return str(found[_ELEMENT])

    def _wait_for(self, selector: str) -> str:
        def find() -> str | None:
            with suppress(WebDriverError, requests.ReadTimeout):
                return self._find(selector)
            return None

        return soon(find, selector)

    def _post(self, command: str, *, patience: float = PATIENCE, **params: Any) -> Any:
        return _send("POST", f"{self._session}/{command}", patience=patience, **params)


def _start_screen(stack: ExitStack, log: Path) -> str:
    """A screen that nobody sees; what its display is called.

    It stays when its last window closes. Otherwise it would begin anew, and a browser that is started at that
    moment would find no screen.
    """
    size = f"{_WINDOW['width']}x{_WINDOW['height']}x24"
    screen = ["-displayfd", "1", "-noreset", "-screen", "0", size, "-nolisten", "tcp"]
    process = start_child([SCREEN.executable, *screen], log=log)
    stack.callback(stop_child, process, seconds=PATIENCE)
    number = soon(lambda: next(filter(str.isdigit, log.read_text().splitlines()), None), "a screen")
    return f":{number}"


def _start_driver(stack: ExitStack, folder: Path, display: str) -> str:
    port = free_port()
    of_its_own = {"DISPLAY": display, "GDK_BACKEND": "x11", "HOME": str(folder), "NO_AT_BRIDGE": "1"}
    process = start_child(
        [WEBKIT.executable, f"--port={port}"], log=folder / "driver.log", env=os.environ | of_its_own
    )
    stack.callback(stop_child, process, seconds=PATIENCE)
    address = f"http://127.0.0.1:{port}"

    def answers() -> str | None:
        with suppress(requests.ConnectionError):
            _send("GET", f"{address}/status")
            return address
        return None

    return soon(answers, "WebKit's driver to listen")


def _send(method: str, address: str, *, patience: float = PATIENCE, **params: Any) -> Any:
    body = params if method == "POST" else None
    value = requests.request(method, address, json=body, timeout=patience).json()["value"]
    if isinstance(value, dict) and "error" in value:
        raise WebDriverError(value["error"], value.get("message", ""))
    return value
