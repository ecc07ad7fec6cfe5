"""Writes `/dev/screens` as files, for a reader who has only a browser.

`python -m tools.gallery FOLDER`. Every address in a copy is relative; what leads out of it, to another
page of Accord's or to somebody else's, leads to one that says so.
"""

import re
import sys
from collections.abc import Callable
from html import escape, unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from app.development.screens.gallery import SCREENS
from tests.support.page_contract import ContractClient
from tests.support.screens import (
    CATALOGUE_VIEWS,
    GALLERY,
    LANGUAGES,
    gallery_client,
    same_each_time,
    show_screens,
)

INDEX, ELSEWHERE = "index.html", "elsewhere.html"

_ADDRESS = re.compile(r'\b(href|src|action)="([^"]*)"')
_ELSEWHERE_PAGE = """<!doctype html>
<html lang="en-CA">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Not in this copy</title>
  <link rel="icon" href="{{ 'favicon.svg'|static_address }}" type="image/svg+xml">
  <link rel="stylesheet" href="{{ 'screens.css'|static_address }}">
</head>
<body>
<main>
  <h1>Not in this copy</h1>
  <p>This link or button leads out of the gallery.</p>
  <p><a href="/dev/screens" target="_top">All screens</a></p>
</main>
</body>
</html>
"""


def write_gallery(folder: Path) -> None:
    """The list, every screen in every language and reading, and the static files that they name."""
    folder.mkdir(parents=True, exist_ok=True)
    with gallery_client() as client:
        copy = _Copy(client, folder)
        copy.write(INDEX, same_each_time(client.get(GALLERY)), LANGUAGES[0])
        copy.write(
            ELSEWHERE, client.application.jinja_env.from_string(_ELSEWHERE_PAGE).render(), LANGUAGES[0]
        )
        for screen in show_screens(client, *LANGUAGES, *CATALOGUE_VIEWS):
            copy.write(file_of(screen.name, screen.lang), screen.html, screen.lang)


def file_of(name: str, lang: str) -> str:
    """The file of a screen."""
    return f"{name}.{lang}.html"


class _Copy:
    def __init__(self, client: ContractClient, folder: Path) -> None:
        self._client = client
        self._folder = folder

    def write(self, file: str, html: str, lang: str) -> None:
        """Writes the page under `file`, and the files that it needs, once each."""
        page = _with_addresses(html, lambda address: self._relative(address, lang))
        # A form cannot be posted to a file.
        page = page.replace('method="post"', 'method="get"')
        (self._folder / file).write_text(page, encoding="utf-8")

    def _relative(self, address: str, lang: str) -> str:
        parts = urlsplit(address)
        if parts.scheme or parts.netloc:
            return ELSEWHERE
        if not parts.path:
            return address
        if parts.path.startswith("/static/"):
            return self._static(parts.path)
        if parts.path == GALLERY:
            return INDEX
        name = parts.path.removeprefix(f"{GALLERY}/")
        if name not in SCREENS:
            return ELSEWHERE
        return file_of(name, parse_qs(parts.query).get("lang", [lang])[0])

    def _static(self, path: str) -> str:
        file = self._folder / path.lstrip("/")
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(self._client.get(path).data)
        return path.lstrip("/")


def _with_addresses(html: str, change: Callable[[str], str]) -> str:
    """`html` with each address of a link, a form or a file changed."""
    return _ADDRESS.sub(lambda found: f'{found[1]}="{escape(change(unescape(found[2])))}"', html)


if __name__ == "__main__":
    write_gallery(Path(sys.argv[1]))
    print(f"{Path(sys.argv[1]).resolve() / INDEX}")
