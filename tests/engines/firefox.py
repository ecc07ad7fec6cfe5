"""Firefox as its users have it, without a window, driven over WebDriver BiDi.

Whatever it would ask of anybody but this machine goes to a proxy that notes it and hangs up.
"""

import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from app.development.embedded import start_child, stop_child
from tests.engines.bidi import BidiConnection, BidiError, bidi_session, text_of
from tests.engines.nobody import Nobody
from tests.engines.tab import Tab, soon
from tests.support.running_accord import PATIENCE
from tools.programs import FIREFOX

_LISTENS = re.compile(r"WebDriver BiDi listening on (ws://\S+)")
# Tall enough for every page: nothing has to be scrolled to, which would take a script.
_VIEWPORT = {"width": 1280, "height": 3000}

# What a browser does of its own accord.
_QUIET: dict[str, bool | int | str] = {
    "app.normandy.enabled": False,
    "app.update.disabledForTesting": True,
    "app.update.auto": False,
    "browser.aboutwelcome.enabled": False,
    "browser.newtabpage.enabled": False,
    "browser.region.network.url": "",
    "browser.region.update.enabled": False,
    "browser.safebrowsing.blockedURIs.enabled": False,
    "browser.safebrowsing.downloads.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.safebrowsing.update.enabled": False,
    "browser.search.update": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "browser.startup.page": 0,
    "browser.topsites.contile.enabled": False,
    "datareporting.healthreport.uploadEnabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "dom.push.connection.enabled": False,
    "extensions.blocklist.enabled": False,
    "extensions.getAddons.cache.enabled": False,
    "extensions.systemAddon.update.enabled": False,
    "extensions.update.enabled": False,
    "media.gmp-manager.updateEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.dns.disablePrefetch": True,
    "network.prefetch-next": False,
    "network.trr.mode": 5,
    "security.OCSP.enabled": 0,
    "security.remote_settings.crlite_filters.enabled": False,
    "security.remote_settings.intermediates.enabled": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "signon.rememberSignons": False,
    "toolkit.telemetry.enabled": False,
    "toolkit.telemetry.server": "data:,",
}

_ENVIRONMENT = {
    "MOZ_CRASHREPORTER_DISABLE": "1",
    "MOZ_REMOTE_SETTINGS_DEVTOOLS": "1",  # a release heeds services.settings.server only with this
}


class Firefox:
    """As a context manager: started when it is needed, ended after the block; it has asked nobody anything."""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._nobody = stack.enter_context(Nobody())
            self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
            self._until_exit = stack.pop_all()
        self._started: dict[bool, BidiConnection] = {}
        return self

    def __exit__(self, *_: object) -> None:
        self._until_exit.close()
        assert self._nobody.asked == [], self._nobody.asked

    @contextmanager
    def new_tab(self, *, javascript: bool) -> Iterator[Tab]:
        if javascript not in self._started:
            self._started[javascript] = self._start(javascript=javascript)
        browser = self._started[javascript]
        user = browser.send("browser.createUserContext")["userContext"]
        try:
            created = browser.send("browsingContext.create", type="tab", userContext=user)
            browser.send("browsingContext.setViewport", context=created["context"], viewport=_VIEWPORT)
            yield FirefoxTab(browser, created["context"])
        finally:
            browser.send("browser.removeUserContext", userContext=user)

    def _start(self, *, javascript: bool) -> BidiConnection:
        folder = self._folder / ("with_javascript" if javascript else "without_javascript")
        profile = folder / "profile"
        profile.mkdir(parents=True)
        (profile / "user.js").write_text(_preferences(self._nobody.port, javascript=javascript))
        log = folder / "log"
        process = start_child(
            [
                FIREFOX.executable,
                "--headless",
                "--no-remote",
                "--remote-debugging-port=0",
                "--profile",
                str(profile),
            ],
            log=log,
            env=os.environ | _ENVIRONMENT | {"HOME": str(folder)},
        )
        self._until_exit.callback(stop_child, process, seconds=PATIENCE)
        listens = soon(lambda: _LISTENS.search(log.read_text()), "Firefox to listen")
        return self._until_exit.enter_context(bidi_session(listens[1], acceptInsecureCerts=True))


def _preferences(proxy_port: int, *, javascript: bool) -> str:
    chosen = _QUIET | {
        "javascript.enabled": javascript,
        "network.proxy.type": 1,
        "network.proxy.http": "127.0.0.1",
        "network.proxy.http_port": proxy_port,
        "network.proxy.ssl": "127.0.0.1",
        "network.proxy.ssl_port": proxy_port,
        "network.proxy.no_proxies_on": "localhost, 127.0.0.1",
        "network.proxy.failover_direct": False,
    }
    return "".join(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in chosen.items())


class FirefoxTab(Tab):
    def __init__(self, browser: BidiConnection, context: str) -> None:
        self._browser = browser
        self._context = context

    def open(self, address: str) -> None:
        self._send("browsingContext.navigate", url=address, wait="complete")

    def click(self, selector: str) -> None:
        self._click(selector, times=1)

    def double_click(self, selector: str) -> None:
        self._click(selector, times=2)

    def fill(self, selector: str, text: str) -> None:
        self.click(selector)
        keys = [{"type": kind, "value": key} for key in text for kind in ("keyDown", "keyUp")]
        self._act({"type": "key", "id": "keyboard", "actions": keys})

    def press_back(self) -> None:
        self._send("browsingContext.traverseHistory", delta=-1)

    @property
    def address(self) -> str:
        tree = self._send("browsingContext.getTree", root=self._context, maxDepth=0)
        return str(tree["contexts"][0]["url"])

    def find_text(self, selector: str) -> str | None:
        node = self._find(selector)
        return text_of(node).strip() if node else None

    def _find(self, selector: str) -> dict[str, Any] | None:
        # Between two pages there is nothing to be found in.
        with suppress(BidiError):
            nodes: list[dict[str, Any]] = self._send(
                "browsingContext.locateNodes",
                locator={"type": "css", "value": selector},
                maxNodeCount=1,
                serializationOptions={"maxDomDepth": None},
            )["nodes"]
            return nodes[0] if nodes else None
        return None

    def _has_loaded(self) -> bool:
        target = {"context": self._context}
        with suppress(BidiError):
            found = self._browser.send(
                "script.evaluate", expression="document.readyState", target=target, awaitPromise=False
            )
            return bool(found["result"]["value"] == "complete")
        return False

    def _click(self, selector: str, *, times: int) -> None:
        # Until it paints a page, Firefox lets clicks on it fall.
        soon(lambda: self._has_loaded() or None, f"the page with {selector} to load")
        node = soon(lambda: self._find(selector), selector)
        element = {"type": "element", "element": {"sharedId": node["sharedId"]}}
        move = {"type": "pointerMove", "x": 0, "y": 0, "origin": element}
        press = [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        self._act({"type": "pointer", "id": "mouse", "actions": [move, *press * times]})

    def _act(self, source: dict[str, Any]) -> None:
        self._browser.send("input.performActions", context=self._context, actions=[source])

    def _send(self, method: str, **params: Any) -> dict[str, Any]:
        if "root" not in params:
            params["context"] = self._context
        return self._browser.send(method, **params)
