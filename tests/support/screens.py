"""Every screen of `/dev/screens` as HTML, for whatever looks at all of them. No store, no server, no browser."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from werkzeug.test import TestResponse

from app.development.screens.gallery import SCREENS
from app.domain.language import Language
from app.stores.key_rotation import generate_signing_keys
from app.web.edge.pseudo_locale import CatalogueView
from tests.support.applications import Clock, a_browser, make_app, make_settings
from tests.support.page_contract import ContractClient

LANGUAGES = tuple(Language)
CATALOGUE_VIEWS = tuple(CatalogueView)
GALLERY = "/dev/screens"

_REFERENCE = "3F9A-07C2-B81D"
_TOKEN = re.compile(r'(name="csrf_token"[^>]* value=")[^"]*')


@dataclass(frozen=True, slots=True)
class ShownScreen:
    """One screen in one language; `lang` is also `x` or `keys` for another reading of the texts."""

    name: str
    lang: str
    html: str


@contextmanager
def gallery_client() -> Iterator[ContractClient]:
    """A browser in front of an Accord whose stores are nowhere."""
    with TemporaryDirectory() as folder:
        keys = Path(folder) / "signing_keys.json"
        generate_signing_keys(keys)
        settings = make_settings("redis://localhost:1", f"sqlite:///{folder}/nowhere/ledger.sqlite3", keys)
        yield a_browser(make_app(settings, Clock()))


def show_screens(client: ContractClient, *languages: str) -> Iterator[ShownScreen]:
    """Every screen, in each of `languages`."""
    for name in SCREENS:
        for lang in languages:
            yield ShownScreen(name, lang, same_each_time(client.get(f"{GALLERY}/{name}?lang={lang}")))


def same_each_time(response: TestResponse) -> str:
    """The page, with one reference number and without tokens: two copies differ only where a page does."""
    assert response.status_code == 200, response.text
    digits = response.headers["ob-trace-id"][:12].upper()
    html = response.text.replace(f"{digits[:4]}-{digits[4:8]}-{digits[8:]}", _REFERENCE)
    return _TOKEN.sub(r"\1", html)
