"""In development an edited `.po` shows at once, and a broken one changes nothing and says why."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import polib
import pytest
from flask import Flask

from app import create_app
from app.settings import ConfigurationError, Environment, Settings
from app.web.text.catalogues import PublishedCatalogues
from app.web.text.po_file import UnusablePo, compile_po
from tests.support.applications import Clock, a_browser
from tests.support.customer import BrowserCustomer
from tests.support.ledger_tables import LedgerTables
from tests.support.page_contract import ContractClient, parse_page
from tests.support.pseudo_locale import untranslated
from tools.catalogues import TRANSLATIONS

HEADING = 'msgid "Data sharing"\nmsgstr "Partage de données"\n'
Edit = Callable[[str, str], None]


@pytest.fixture
def translations(tmp_path: Path) -> Path:
    """A translator's own copy, without anything compiled."""
    ignored = shutil.ignore_patterns("*.mo")
    return Path(shutil.copytree(TRANSLATIONS, tmp_path / "translations", ignore=ignored))


@pytest.fixture
def french(translations: Path) -> Path:
    return translations / "fr" / "LC_MESSAGES" / "messages.po"


@pytest.fixture
def edit(french: Path) -> Edit:
    """Replaces a part of the French file, as an editor does that somebody saves in."""

    def replace(old: str, new: str) -> None:
        text = french.read_text(encoding="utf-8")
        assert old in text
        french.write_text(text.replace(old, new, 1), encoding="utf-8")
        later = french.stat().st_mtime_ns + 1_000_000  # two saves within one tick of the clock
        os.utime(french, ns=(later, later))

    return replace


def an_app(settings: Settings, clock: Clock, translations: Path) -> Flask:
    app = create_app(settings, clock=clock, translations=translations)
    app.test_client_class = ContractClient
    return app


@pytest.fixture
def client(settings: Settings, clock: Clock, translations: Path) -> ContractClient:
    return a_browser(an_app(settings, clock, translations))


def heading(client: ContractClient, lang: str = "fr") -> str:
    return parse_page(client.get(f"/connections?lang={lang}").text).one("h1").text


def faults(client: ContractClient) -> list[str]:
    """What the strip on top of a page says, if there is one."""
    strips = parse_page(client.get("/connections?lang=fr").text).all("div", role="status")
    return [item.text for strip in strips for item in strip.all("li")]


def line_of(french: Path, text: str) -> int:
    return french.read_text(encoding="utf-8").splitlines().index(text) + 1


# An edit


def test_an_edited_text_shows_on_the_next_page(client: ContractClient, edit: Edit) -> None:
    assert heading(client) == "Partage de données"
    edit(HEADING, HEADING.replace("Partage de données", "Données partagées"))
    assert heading(client) == "Données partagées"
    assert heading(client, "en") == "Data sharing"
    edit("Données partagées", "Mes partages")
    assert heading(client) == "Mes partages"
    assert faults(client) == []


def test_an_edited_name_of_a_cluster_shows_too(client: ContractClient, edit: Edit) -> None:
    """Those words are kept for a catalogue, and the catalogue is another one."""
    customer = BrowserCustomer(client)
    request_id = customer.signed_in_request(lang="fr", scope="ACCOUNT_BASIC TRANSACTIONS")
    assert "Opérations" in customer.form(request_id).text
    edit('msgid "Transactions"\nmsgstr "Opérations"', 'msgid "Transactions"\nmsgstr "Mouvements"')
    assert "Mouvements" in customer.form(request_id).text


def test_an_edited_plural_shows_in_its_form(client: ContractClient, edit: Edit) -> None:
    customer = BrowserCustomer(client)
    edit('msgstr[1] "Jusqu’à', 'msgstr[1] "Voici\N{NO-BREAK SPACE}: jusqu’à')
    form = customer.form(customer.signed_in_request(lang="fr"))
    assert "Voici : " in form.text


def test_an_uncertain_translation_is_not_shown(client: ContractClient, edit: Edit) -> None:
    """Neither is it when it is compiled."""
    edit(HEADING, "#, fuzzy\n" + HEADING)
    assert heading(client) == "Data sharing"


def test_a_decision_after_an_edit_names_the_page_with_the_new_text(
    client: ContractClient, edit: Edit, recorded: LedgerTables
) -> None:
    customer = BrowserCustomer(client)
    customer.answer(customer.signed_in_request(lang="fr"), "deny")
    edit('msgstr "Avant de répondre"', 'msgstr "Durée"')
    customer.answer(customer.signed_in_request(lang="fr"), "deny")
    before, after = sorted(recorded["screens"], key=lambda row: "Durée" in row["text"])
    assert "\nAvant de répondre\n" in before["text"]
    assert "\nDurée\n" in after["text"]
    assert before["catalogue_version"] != after["catalogue_version"]
    named = {row["screen_hash"] for row in recorded["decisions"]}
    assert named == {before["screen_hash"], after["screen_hash"]}


# A file that cannot be used


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ('msgstr "Partage de données', "neither a comment nor a keyword"),
        ("msgstr Partage", "neither a comment nor a keyword"),
        ('msgstr "Par"tage"', "neither a comment nor a keyword"),
        ("<<<<<<< HEAD", "neither a comment nor a keyword"),
        ('"Partage"', "begins no whole entry"),
    ],
)
def test_a_broken_file_says_where_and_the_last_good_texts_stay(
    client: ContractClient, edit: Edit, french: Path, broken: str, says: str
) -> None:
    edit('msgstr "Partage de données"', 'msgstr "Données partagées"')
    assert heading(client) == "Données partagées"
    edit('msgstr "Données partagées"', broken)
    (fault,) = faults(client)
    assert fault.startswith("translations/fr/LC_MESSAGES/messages.po:")
    assert says in fault
    line = int(fault.split(":")[1])
    assert abs(line - line_of(french, 'msgid "Data sharing"')) <= 1
    assert heading(client) == "Données partagées"
    edit(broken, 'msgstr "Partages"')
    assert faults(client) == []
    assert heading(client) == "Partages"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("%(recipient)s ne recevra plus", "%(destinataire)s ne recevra plus", "%(destinataire)s"),
        ("%(recipient)s ne recevra plus", "Elle ne recevra plus", "has lost a field"),
        ("%(recipient)s ne recevra plus", "%(recipient) ne recevra plus", "has lost a field"),
        ('msgstr "Avant de répondre"', 'msgstr "Avant de répondre 100 %"', "write %%"),
    ],
)
def test_a_translation_that_could_not_be_filled_in_is_not_used(
    client: ContractClient, edit: Edit, old: str, new: str, says: str
) -> None:
    edit(old, new)
    (fault,) = faults(client)
    assert says in fault
    assert client.get("/connections/sign-in/1000?lang=fr").status_code == 200


def test_a_file_that_is_not_in_utf_8_says_so(client: ContractClient, french: Path) -> None:
    french.write_bytes(french.read_bytes().replace("données".encode(), "données".encode("latin-1"), 1))
    (fault,) = faults(client)
    assert fault.endswith("is not in UTF-8")


def test_a_file_that_has_gone_says_so_and_its_texts_stay(client: ContractClient, french: Path) -> None:
    assert heading(client) == "Partage de données"
    french.unlink()
    assert heading(client) == "Partage de données"
    (fault,) = faults(client)
    assert "No such file" in fault


def test_the_fault_is_on_error_pages_too_and_reads_in_the_pseudo_locale(
    client: ContractClient, edit: Edit
) -> None:
    edit(HEADING, "garbage")
    page = client.get("/nothing?lang=x")
    assert page.status_code == 404
    assert parse_page(page.text).all("div", role="status")
    assert untranslated(page.text) == []


def test_the_fault_is_on_the_form_as_long_as_it_lasts(client: ContractClient, edit: Edit) -> None:
    """A form that has been rendered before is not taken for this one."""
    customer = BrowserCustomer(client)
    request_id = customer.signed_in_request(lang="fr")
    strips = []
    for old, new in ((HEADING, HEADING), (HEADING, "garbage"), ("garbage", HEADING)):
        edit(old, new)
        strips.append(len(customer.form(request_id).all("div", role="status")))
    assert strips == [0, 1, 0]


def test_the_fault_is_no_part_of_what_a_customer_saw(
    client: ContractClient, edit: Edit, recorded: LedgerTables
) -> None:
    customer = BrowserCustomer(client)
    edit(HEADING, "garbage")
    customer.answer(customer.signed_in_request(lang="fr"), "deny")
    (screen,) = recorded["screens"]
    assert "garbage" not in screen["text"]


def test_a_file_that_breaks_before_the_first_page_has_been_read_already(
    client: ContractClient, edit: Edit
) -> None:
    """One of several workers may be asked for the first time after the others."""
    edit(HEADING, "garbage")
    assert heading(client) == "Partage de données"
    assert len(faults(client)) == 1


def test_a_start_with_a_broken_file_is_in_english_and_says_so(
    settings: Settings, clock: Clock, translations: Path, edit: Edit
) -> None:
    edit(HEADING, "garbage")
    client = a_browser(an_app(settings, clock, translations))
    assert heading(client) == "Data sharing"
    assert len(faults(client)) == 1


def test_every_fault_is_said_at_once(french: Path, edit: Edit) -> None:
    edit(HEADING, "garbage")
    edit('msgstr "Avant de répondre"', "msgstr Avant de répondre")
    with pytest.raises(UnusablePo) as unusable:
        compile_po(french)
    assert len(unusable.value.faults) == 2


def test_a_rule_for_plurals_that_is_none_is_a_fault(client: ContractClient, edit: Edit) -> None:
    edit("plural=(n > 1)", "plural=(more than 1)")
    assert len(faults(client)) == 1
    assert heading(client) == "Partage de données"


# Production


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (HEADING, "<<<<<<< HEAD\n" + HEADING, "neither a comment nor a keyword"),
        ('"Partage de données"', '"Partage de données', "neither a comment nor a keyword"),
        ('"Partage de données"', '"Partage de données 100 %"', "write %%"),
        ("%(recipient)s ne recevra plus", "Elle ne recevra plus", "has lost a field"),
        ("plural=(n > 1)", "plural=(more than 1)", "cannot be computed"),
        ('msgid ""\n', '#, fuzzy\nmsgid ""\n', "its header is fuzzy"),
        (HEADING, "#, fuzzy\n" + HEADING, "is fuzzy: Data sharing"),
        (HEADING, HEADING.replace("Partage de données", ""), "is not translated: Data sharing"),
        (HEADING, "", "lacks a text of the code: Data sharing"),
    ],
)
def test_a_server_does_not_start_with_what_development_would_refuse_or_show_in_english(
    settings: Settings, translations: Path, edit: Edit, old: str, new: str, says: str
) -> None:
    production = settings.model_copy(update={"environment": Environment.PRODUCTION})
    PublishedCatalogues(translations)
    edit(old, new)
    with pytest.raises(ConfigurationError, match=r"translations/fr/LC_MESSAGES/messages\.po") as refused:
        create_app(production, translations=translations)
    assert says in str(refused.value)


def test_a_server_says_every_fault_of_every_language_at_once(translations: Path, edit: Edit) -> None:
    edit(HEADING, "garbage")
    (translations / "en" / "LC_MESSAGES" / "messages.po").unlink()
    with pytest.raises(ConfigurationError) as refused:
        PublishedCatalogues(translations)
    english, french = str(refused.value).splitlines()
    assert "translations/en/LC_MESSAGES/messages.po: No such file" in english
    assert "garbage" in french


def test_a_server_does_not_start_without_the_texts_that_it_must_have(translations: Path) -> None:
    (translations / "messages.pot").unlink()
    with pytest.raises(ConfigurationError, match=r"translations/messages\.pot: No such file"):
        PublishedCatalogues(translations)


def test_production_reads_the_files_when_it_starts_and_does_not_look_again(
    settings: Settings, clock: Clock, translations: Path, edit: Edit
) -> None:
    app = an_app(settings, clock, translations)
    published = PublishedCatalogues(translations)
    app.extensions["babel"].instance.domain_instance = published
    edit("Partage de données", "Données partagées")
    for path in translations.rglob("messages.po"):
        path.unlink()
    with app.test_request_context("/?lang=fr"):
        assert published.gettext("Data sharing") == "Partage de données"
        assert published.faults() == ()


def test_the_version_follows_from_the_texts_and_not_from_who_saved_them(
    translations: Path, french: Path, edit: Edit
) -> None:
    version = PublishedCatalogues(translations).version()
    texts = polib.pofile(str(french), wrapwidth=60)
    texts.metadata |= {"PO-Revision-Date": "2026-11-28 07:20+0000", "X-Generator": "Poedit 3.2.2"}
    texts.save()
    assert PublishedCatalogues(translations).version() == version
    edit('msgstr "Avant de répondre"', 'msgstr "Longueur"')
    assert PublishedCatalogues(translations).version() != version
