"""The catalogues say all that the code says, in both languages, and their French is set as in Canada."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polib
import pytest
from babel.support import Translations

from app.domain.clusters import DataCluster
from app.web.wording import WORDING, ClusterWording
from tools.catalogues import LANGUAGES, TEMPLATE, TRANSLATIONS, catalogue, extract, keys

NBSP = "\u00a0"
REGISTRY = Path(__file__).resolve().parent.parent / "registry" / "demo.toml"

# What is wrong, how it is found, and an example in which it must be found.
TYPOGRAPHY = [
    ("a straight apostrophe", r"'", "l'accord"),
    ("a straight quotation mark", r'"', 'choisissez "Continuer"'),
    ("an English quotation mark", r"[“”]", "choisissez “Continuer”"),
    ("no no-break space after «", rf"«(?!{NBSP}\S)", f"« Continuer{NBSP}»"),
    ("no no-break space before »", rf"(?<!\S{NBSP})»", f"«{NBSP}Continuer »"),
    ("no no-break space before a colon", rf"(?<!\S{NBSP}):", "Erreur : oui"),
    ("no no-break space before a colon, no space at all", rf"(?<!\S{NBSP}):", "Erreur: oui"),
    ("no no-break space before a per cent sign", rf"(?<!\S{NBSP})%%", "12 %% par an"),
    ("a space before ; ! ?", r"\s[;!?]", "Vraiment ?"),
    ("a no-break space before ; ! ?", r"\s[;!?]", f"Vraiment{NBSP}?"),
    ("a narrow no-break space", "\u202f", "Vraiment\u202f?"),
    ("three dots for an ellipsis", r"\.\.\.", "Un instant..."),
    ("a double space", r"\s\s", "deux  espaces"),
    ("a space at an end", r"^\s|\s$", "Continuer "),
]
WELL_SET = f"Erreur{NBSP}: l’accord «{NBSP}Continuer{NBSP}» à 12{NBSP}%% est-il prêt? Oui; allez-y!"

_FIELD = re.compile(r"%\((\w+)\)s")


def typography_faults(text: str) -> list[str]:
    return [name for name, pattern, _ in TYPOGRAPHY if re.search(pattern, text)]


def texts_of(entry: polib.POEntry) -> list[str]:
    return list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]


def format_faults(text: str) -> list[str]:
    """Per cent signs that are neither a named field nor doubled."""
    return re.findall(r"%.?", _FIELD.sub("", text).replace("%%", ""))


def fields_of(text: str) -> set[str]:
    return set(_FIELD.findall(text))


def french_texts(document: Any) -> Iterator[str]:
    """What a registration file says in French, addresses left out."""
    if isinstance(document, dict):
        if isinstance(document.get("fr"), str) and not document["fr"].startswith("https:"):
            yield document["fr"]
        document = list(document.values())
    if isinstance(document, list):
        for part in document:
            yield from french_texts(part)


@pytest.fixture(scope="module")
def texts_in_code(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str | None, str]]:
    path = tmp_path_factory.mktemp("catalogues") / "messages.pot"
    extract(path)
    return keys(path)


@pytest.fixture(params=LANGUAGES)
def texts(request: pytest.FixtureRequest) -> polib.POFile:
    return polib.pofile(str(catalogue(request.param)))


@pytest.mark.parametrize("path", [TEMPLATE, *map(catalogue, LANGUAGES)], ids=lambda path: path.parts[-3])
def test_a_catalogue_has_the_texts_of_the_code_and_no_others(
    path: Path, texts_in_code: set[tuple[str | None, str]]
) -> None:
    assert keys(path) == texts_in_code, "run `make i18n` and translate what is new"


def test_nothing_is_missing_uncertain_or_left_over(texts: polib.POFile) -> None:
    unfinished = [*texts.untranslated_entries(), *texts.fuzzy_entries(), *texts.obsolete_entries()]
    assert not [entry.msgid for entry in unfinished]


def test_a_translation_has_the_fields_of_its_sentence(texts: polib.POFile) -> None:
    for entry in texts:
        for text in texts_of(entry):
            assert fields_of(text) == fields_of(entry.msgid_plural or entry.msgid), entry.msgid
            assert not format_faults(text), entry.msgid


def test_a_lost_field_and_a_stray_per_cent_sign_are_noticed() -> None:
    assert fields_of("Bonjour %(nom)s") != fields_of("Hello %(name)s")
    assert format_faults("100 % sûr")
    assert format_faults("Bonjour %(name)")
    assert not format_faults("Bonjour %(name)s, 100 %%")


def test_a_text_has_no_markup(texts: polib.POFile) -> None:
    """Texts are put into pages as they are; a translator does not write HTML."""
    assert not [entry.msgid for entry in texts if re.search("[<>&]", "".join(texts_of(entry)))]


def test_english_says_what_the_code_says() -> None:
    for entry in polib.pofile(str(catalogue("en"))):
        assert texts_of(entry) == ([entry.msgid, entry.msgid_plural] if entry.msgid_plural else [entry.msgid])


def test_french_is_set_as_in_canada() -> None:
    texts = [text for entry in polib.pofile(str(catalogue("fr"))) for text in texts_of(entry)]
    assert {text: typography_faults(text) for text in texts if typography_faults(text)} == {}


def test_the_french_of_the_demo_registry_is_set_as_in_canada() -> None:
    texts = list(french_texts(tomllib.loads(REGISTRY.read_text(encoding="utf-8"))))
    assert texts
    assert {text: typography_faults(text) for text in texts if typography_faults(text)} == {}


@pytest.mark.parametrize(("name", "example"), [(name, example) for name, _, example in TYPOGRAPHY])
def test_a_fault_in_french_typography_is_noticed(name: str, example: str) -> None:
    assert name in typography_faults(example)


def test_well_set_french_has_no_faults() -> None:
    assert typography_faults(WELL_SET) == []


def test_a_sentence_that_quotes_a_label_quotes_it_as_it_is_on_the_page() -> None:
    texts = polib.pofile(str(catalogue("fr")))
    labels = {entry.msgid: entry.msgstr for entry in texts}
    quoting = [(entry, label) for entry in texts for label in re.findall("“(.+?)”", entry.msgid)]
    assert quoting
    for entry, label in quoting:
        assert f"«{NBSP}{labels[label]}{NBSP}»" in entry.msgstr, entry.msgid


def test_canadian_french_is_found_where_translators_keep_french() -> None:
    assert Translations.load(TRANSLATIONS, ["fr_CA"]).ugettext("Share my data") == "Partager mes données"


def test_every_cluster_has_a_wording() -> None:
    assert set(WORDING) == set(DataCluster)


@pytest.mark.parametrize("words", WORDING.values(), ids=WORDING)
def test_a_cluster_is_explained_in_two_sentences_with_what_is_shared_and_what_is_not(
    words: ClusterWording,
) -> None:
    explanation = str(words.explanation)
    assert len(re.findall(r"\.(?= |$)", explanation)) == 2
    assert fields_of(explanation) <= {"recipient", "provider"}
    assert words.shared
    assert words.not_shared
    for text in (words.name, *words.shared, *words.not_shared):
        assert str(text)
        assert ";" not in str(text)
        assert not fields_of(str(text))
    assert not {str(text) for text in words.shared} & {str(text) for text in words.not_shared}
