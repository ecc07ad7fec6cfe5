"""The copy of the gallery: complete in itself, whatever it is opened with."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from app.development.screens.gallery import SCREENS
from tests.support.page_contract import parse_page
from tests.support.screens import CATALOGUE_VIEWS, LANGUAGES, ShownScreen
from tools.gallery import ELSEWHERE, INDEX, file_of, write_gallery

NAMES_A_FILE = {"href", "src", "action", "srcset", "poster", "data", "formaction", "background", "cite"}
# What names another host, or a place on this machine, wherever it stands in a file.
ABSOLUTE = re.compile(r"""["'(=]\s*(https?:|//|file:|/)""")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gallery")
    write_gallery(folder)
    return folder


def addresses(page: Path) -> Iterator[str]:
    for element in parse_page(page.read_text(encoding="utf-8")).every():
        yield from (value for name, value in element.attributes.items() if name in NAMES_A_FILE)


def test_every_screen_is_there_in_every_language_and_reading(copy: Path) -> None:
    screens = {file_of(name, lang) for name in SCREENS for lang in (*LANGUAGES, *CATALOGUE_VIEWS)}
    assert {path.name for path in copy.glob("*.html")} == screens | {INDEX, ELSEWHERE}


def test_every_address_is_a_file_of_the_copy(copy: Path) -> None:
    used = set()
    for page in copy.glob("*.html"):
        for address in addresses(page):
            parts = urlsplit(address)
            assert address == parts.path + (f"#{parts.fragment}" if parts.fragment else ""), address
            assert not address.startswith("/")
            if parts.path:
                assert (copy / parts.path).is_file(), f"{page.name}: {address}"
                used.add(parts.path)
    assert {path.relative_to(copy).as_posix() for path in copy.rglob("*.*")} - {INDEX} <= used


def test_neither_the_style_sheet_nor_the_script_names_another_place(copy: Path) -> None:
    texts = [*copy.rglob("*.css"), *copy.rglob("*.js")]
    assert len(texts) == 5, "two style sheets, the colours of two banks, and the script"
    for path in texts:
        assert ABSOLUTE.search(path.read_text(encoding="utf-8")) is None, path.name
        assert "url(" not in path.read_text(encoding="utf-8")


def test_the_switch_leads_to_the_same_screen_in_the_other_language(copy: Path) -> None:
    assert file_of("error-expired", "fr") in addresses(copy / file_of("error-expired", "en"))
    assert file_of("error-expired", "en") in addresses(copy / file_of("error-expired", "fr"))
    assert file_of("error-expired", "fr") in addresses(copy / file_of("error-expired", "x"))


def test_the_list_shows_every_screen(copy: Path) -> None:
    frames = parse_page((copy / INDEX).read_text(encoding="utf-8")).all("iframe")
    assert [frame.attributes["src"] for frame in frames] == [
        file_of(name, lang) for name in SCREENS for lang in LANGUAGES
    ]


def test_nothing_of_a_form_is_posted_to_a_file(copy: Path) -> None:
    for page in copy.glob("*.html"):
        for form in parse_page(page.read_text(encoding="utf-8")).all("form"):
            assert (form.attributes["method"], form.attributes["action"]) == ("get", ELSEWHERE)


def test_two_copies_are_the_same(copy: Path, tmp_path: Path) -> None:
    write_gallery(tmp_path)
    files = {path.relative_to(copy): path.read_bytes() for path in copy.rglob("*.*")}
    assert files == {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*.*")}


def test_every_screen_can_be_looked_at_without_a_browser(every_screen: list[ShownScreen]) -> None:
    shown = [(screen.name, screen.lang) for screen in every_screen]
    assert shown == [(name, lang) for name in SCREENS for lang in LANGUAGES]
    for screen in every_screen:
        assert parse_page(screen.html).one("html").attributes["lang"] == f"{screen.lang}-CA"
