"""What a browser asks for and complains about while somebody uses it."""

from collections.abc import Collection
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, WebError

# Chromium tells its console as well, but not in a wording that it promises to keep.
_REPORT_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) => {
  console.error(`forbidden by ${event.effectiveDirective}: ${event.blockedURI} on ${event.documentURI}`);
});
"""
_REFUSED_PAGE = "Failed to load resource: the server responded with a status of 4"


class Watch:
    """Listens to every tab of one browser context. A page that answers 4xx is no fault of the page's."""

    def __init__(self, context: BrowserContext, *, hosts: Collection[str]) -> None:
        self.requests: list[Request] = []
        self._hosts = hosts
        self._complaints: list[str] = []
        self._excuses: list[str] = []
        context.on("request", self._keep)
        context.on("console", self._hear)
        context.on("weberror", self._note)
        context.add_init_script(_REPORT_VIOLATIONS)

    def excuse(self, text: str) -> None:
        """Faults that contain `text` are what the test is about."""
        self._excuses.append(text)

    def faults(self) -> list[str]:
        """Requests to somebody else, errors and warnings of the console, scripts that failed."""
        strangers = [
            f"a request to {request.url}"
            for request in self.requests
            if urlsplit(request.url).netloc not in self._hosts
        ]
        found = strangers + self._complaints
        return [fault for fault in found if not any(excuse in fault for excuse in self._excuses)]

    def posts(self, path: str) -> list[Request]:
        """The forms that were sent to an address with `path` in it."""
        return [request for request in self.requests if request.method == "POST" and path in request.url]

    def callbacks(self) -> list[Request]:
        """The answers that reached a recipient, in their order."""
        return [request for request in self.requests if urlsplit(request.url).path == "/callback"]

    def codes(self) -> list[str]:
        """The codes that came with them."""
        return [code for request in self.callbacks() for code in query_of(request.url).get("code", [])]

    def _keep(self, request: Request) -> None:
        self.requests.append(request)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        place = message.location["url"]
        pages = {request.url for request in self.requests if request.is_navigation_request()}
        if not (message.text.startswith(_REFUSED_PAGE) and place in pages):
            self._complaints.append(f"{message.text} ({place})")

    def _note(self, failure: WebError) -> None:
        self._complaints.append(str(failure.error))


def query_of(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query, keep_blank_values=True)


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
