"""A language is added in one line and one file, whichever way it is written, and whether CLDR knows it or not."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from app.domain.language import Language
from tests.support.other_languages import add_two_languages, run
from tests.support.page_contract import Element, parse_page
from tests.support.repository import ROOT
from tools.gallery import file_of

MARKS = {"ar": "نص", "cr": "ᐁᑯᓯ"}
ShowScreen = Callable[[str, str], Element]


def file_in(folder: Path, language: str) -> Path:
    return folder / "translations" / language / "LC_MESSAGES" / "messages.po"


@pytest.fixture(scope="module")
def untranslated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("four")
    add_two_languages(folder)
    return folder


def check(folder: Path) -> "subprocess.CompletedProcess[str]":
    return run(folder, "flask", "catalogues", "check", str(folder / "translations"))


def test_a_file_is_made_for_each_with_its_rule_for_plurals_and_a_server_waits_for_its_texts(
    untranslated: Path,
) -> None:
    assert "nplurals=6; plural=(n==0 ? 0" in file_in(untranslated, "ar").read_text(encoding="utf-8")
    assert "nplurals=2; plural=(n != 1)" in file_in(untranslated, "cr").read_text(encoding="utf-8")
    assert "# The texts of Accord in Arabic (Egypt)\n" in file_in(untranslated, "ar").read_text(
        encoding="utf-8"
    )
    assert "# The texts of Accord in ᓀᐦᐃᔭᐍᐏᐣ\n" in file_in(untranslated, "cr").read_text(encoding="utf-8")
    with pytest.raises(subprocess.CalledProcessError) as refused:
        check(untranslated)
    faults = refused.value.stderr.splitlines()
    assert len(faults) > 500
    assert all(
        re.match(r"translations/(ar|cr)/LC_MESSAGES/messages\.po:\d+: is not translated", fault)
        for fault in faults
    )


@pytest.fixture(scope="module")
def show(untranslated: Path, four_languages: Path) -> ShowScreen:
    def one(name: str, lang: str) -> Element:
        return parse_page((four_languages / file_of(name, lang)).read_text(encoding="utf-8"))

    return one


def test_every_page_is_in_each_language_and_leads_to_all_others(show: ShowScreen) -> None:
    tags = {"en": "en-CA", "fr": "fr-CA", "ar": "ar-EG", "cr": "cr-CA"}
    for name in ("form", "connections-one", "connection", "sign-in", "error-expired"):
        for lang, tag in tags.items():
            page = show(name, lang)
            html = page.one("html")
            assert html.attributes["lang"] == tag
            assert html.attributes["dir"] == ("rtl" if lang == "ar" else "ltr")
            for other in tags.keys() - {lang}:
                switches = [element for element in page.every() if element.attributes.get("lang") == other]
                assert switches, f"{name} in {lang} does not lead to {other}"
            if lang in MARKS:
                assert page.one("h1").text.startswith(MARKS[lang])


def test_what_is_registered_in_english_is_said_to_be_english(show: ShowScreen) -> None:
    """It is read aloud as English within a page that is not."""
    for lang in MARKS:
        (name, *_) = show("form", lang).one("h1").all("bdi")
        assert name.text == "Budget Compass"
        assert name.attributes["lang"] == "en"
        purposes = [text for text in show("form", lang).all("bdi") if "translate" not in text.attributes]
        assert purposes
        assert all(text.attributes["lang"] == "en" for text in purposes)
        host = show("form", lang).one("strong").one("bdi")
        assert "lang" not in host.attributes, "a host is in no language"
    assert not show("form", "fr").all("bdi", lang="en")


def test_the_receipt_is_in_every_language_each_with_its_own_dates_and_direction(show: ShowScreen) -> None:
    page = show("connection", "fr")
    receipts = {
        section.attributes["lang"]: section for section in page.all("section") if "lang" in section.attributes
    }
    assert receipts.keys() == {"en-CA", "ar-EG", "cr-CA"}
    assert receipts["ar-EG"].attributes["dir"] == "rtl"
    assert receipts["cr-CA"].attributes["dir"] == "ltr"
    assert MARKS["cr"] in receipts["cr-CA"].text
    assert re.search(r"[A-Z][a-z]+ \d{1,2}, 202\d", receipts["cr-CA"].text), "the dates of Canadian English"
    assert re.search(r"\d [\u0600-\u06ff]+ 202\d", receipts["ar-EG"].text)
    assert receipts["ar-EG"].all("bdi", lang="en")
    assert not receipts["en-CA"].all("bdi", lang="en"), "English within English says nothing of it"


def test_the_form_has_the_plural_form_that_each_languages_rule_picks(show: ShowScreen) -> None:
    for lang, mark in MARKS.items():
        assert f"{mark} Up to 24 months" in show("form", lang).text


def test_no_style_is_of_the_left_or_the_right() -> None:
    """What begins a line does so in both directions."""
    for sheet in (ROOT / "static").glob("*.css"):
        assert not re.findall(r"[^\n]*(?:[-\s](?:left|right):|:\s*(?:left|right)\b)[^\n]*", sheet.read_text())


def test_the_contract_names_the_languages_that_are_spoken() -> None:
    schemas = yaml.safe_load((ROOT / "app" / "openapi.yaml").read_text(encoding="utf-8"))["components"][
        "schemas"
    ]
    assert schemas["Language"]["enum"] == list(Language)
    assert schemas["LanguageTag"]["enum"] == [language.tag for language in Language]
