"""`make check` finds what is amiss with the texts: each kind of fault is planted in a copy, and found."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from app.domain.clusters import DataCluster
from app.domain.language import Language
from app.web.text.catalogues import file_of
from app.web.text.po_file import FIELD
from app.web.text.wording import WORDING, ClusterWording
from tools.catalogues import REGISTRY, TRANSLATIONS, Keys, faults, keys_in_code
from tools.reading_level import HIGHEST_GRADE, count_syllables, grade, is_sentence, too_hard
from tools.text_rules import EVERYWHERE, FRENCH, NBSP, setting_faults

WELL_SET = f"Erreur{NBSP}: l’accord «{NBSP}Continuer{NBSP}» à 12{NBSP}%% est-il prêt? Oui; allez-y!"
HARD = (
    "Authorization of the aforementioned institution necessitates comprehensive verification of "
    "individual identification documentation."
)
Check = Callable[..., list[str]]


@pytest.fixture(scope="module")
def in_code() -> Keys:
    return keys_in_code()


@pytest.fixture
def check(in_code: Keys, tmp_path: Path) -> Check:
    """Replaces a part of a copy of one file, and returns what is then found amiss."""
    translations, registry = tmp_path / "translations", tmp_path / "demo.toml"
    shutil.copytree(TRANSLATIONS, translations)
    shutil.copy(REGISTRY, registry)
    places: dict[str, Path] = {
        "pot": translations / "messages.pot",
        "demo": registry,
        **{spoken.value: file_of(translations, spoken) for spoken in Language},
    }

    def replace(place: str, old: str, new: str) -> list[str]:
        text = places[place].read_text(encoding="utf-8")
        assert old in text
        places[place].write_text(text.replace(old, new, 1), encoding="utf-8")
        return list(faults(in_code, translations, registry))

    return replace


def test_nothing_is_amiss(in_code: Keys) -> None:
    assert list(faults(in_code)) == []


STARTED = 'msgctxt "label"\nmsgid "Started"\nmsgstr "Début"\n'


@pytest.mark.parametrize(
    ("place", "old", "new", "found"),
    [
        ("fr", STARTED, "", "does not have this text of the code: “Started” (label)"),
        (
            "pot",
            'msgctxt "label"\nmsgid "Started"\nmsgstr ""\n',
            "",
            "translations/messages.pot does not have this text of the code: “Started” (label)",
        ),
        (
            "en",
            STARTED.replace("Début", "Started"),
            "",
            "does not have this text of the code: “Started” (label)",
        ),
        (
            "pot",
            'msgctxt "label"\nmsgid "Started"',
            'msgid "Started"',
            "a word alone, without a context or a comment",
        ),
        ("fr", STARTED, STARTED + '\nmsgid "Gone"\nmsgstr "Parti"\n', "is no text of the code: “Gone”"),
        ("fr", STARTED, STARTED + '\n#~ msgid "Gone"\n#~ msgstr "Parti"\n', "is in the code no more"),
        ("fr", STARTED, STARTED + "\n" + STARTED, "is there twice"),
        ("fr", 'msgstr "Début"', 'msgstr ""', "is not translated"),
        ("fr", STARTED, "#, fuzzy\n" + STARTED, "is fuzzy"),
        ("fr", 'msgstr "Début"', 'msgstr "Début', "is neither a comment nor a keyword"),
        ("fr", 'msgstr "Début"', 'msgstr "Début %(date)s"', "a field that its sentence has not"),
        ("fr", 'msgstr "%(agent)s ', 'msgstr "%(agente)s ', "%(agente)s"),
        ("fr", 'msgstr "%(agent)s ', 'msgstr "L’agent ', "has lost a field of its sentence: %(agent)s"),
        (
            "fr",
            'msgstr[1] "Cette entreprise pourra consulter vos %(num)s ',
            'msgstr[1] "Ils voient ',
            "has lost a field",
        ),
        ("fr", 'msgstr "Début"', 'msgstr "Jusqu’à 100 %"', "a % that belongs to no field"),
        ("fr", 'msgstr "Début"', 'msgstr "Jusqu\'au"', "a straight apostrophe"),
        ("fr", 'msgstr "Début"', 'msgstr "Jusqu’au <b>jour</b>"', "markup"),
        ("en", 'msgstr "Started"', 'msgstr "Begun"', "says something else than the code"),
        ("fr", f"«{NBSP}Ne pas partager{NBSP}»", f"«{NBSP}Refuser{NBSP}»", "does not quote “Do not share”"),
        ("demo", 'fr = "Pour montrer tous', 'fr = "Pour montrer : tous', "demo.toml has no no-break space"),
        (
            "demo",
            'en = "To show all your',
            "en = \"To show 'all' your",
            "demo.toml has a straight apostrophe",
        ),
        (
            "demo",
            'en = "To show all your accounts in one place',
            f'en = "{HARD} Accounts',
            "demo.toml: grade",
        ),
        ("pot", 'msgid "We did not share any data."', f'msgid "{HARD}"', "grade"),
    ],
)
def test_a_fault_is_found(check: Check, place: str, old: str, new: str, found: str) -> None:
    assert [fault for fault in check(place, old, new) if found in fault]


def test_a_fault_is_told_with_its_file_and_line(check: Check) -> None:
    (fault,) = check("fr", 'msgstr "Début"', 'msgstr ""')
    assert re.fullmatch(r"translations/fr/LC_MESSAGES/messages\.po:\d+ is not translated", fault)


# How a text is set


@pytest.mark.parametrize(
    ("name", "example"), [(name, example) for name, _, example in (*EVERYWHERE, *FRENCH)]
)
def test_a_fault_in_french_typography_is_noticed(name: str, example: str) -> None:
    assert name in setting_faults(example, "fr")


@pytest.mark.parametrize(("name", "example"), [(name, example) for name, _, example in EVERYWHERE])
def test_a_fault_in_any_language_is_noticed(name: str, example: str) -> None:
    assert name in setting_faults(example, "en")


def test_well_set_french_has_no_faults() -> None:
    assert setting_faults(WELL_SET, "fr") == []


# How hard English is to read


@pytest.mark.parametrize(
    ("word", "syllables"),
    [("the", 1), ("shared", 1), ("recipient", 4), ("bank’s", 1), ("chequing", 2), ("GICs", 1), ("hmpf", 1)],
)
def test_syllables_are_counted_as_they_are_spoken(word: str, syllables: int) -> None:
    assert count_syllables(word) == syllables


def test_the_grade_is_that_of_the_formula() -> None:
    """Six words, six syllables, one sentence."""
    assert grade(["The cat sat on the mat."]) == pytest.approx(0.39 * 6 + 11.8 - 15.59)


def test_a_name_in_a_field_makes_no_text_harder() -> None:
    assert grade(["%(recipient_of_data)s asked."]) == grade(["Maple asked."])


def test_a_long_text_is_judged_by_itself_and_short_ones_together() -> None:
    easy = ["You can stop at any time, and you do not have to say why."] * 9
    assert grade([*easy, HARD]) < HIGHEST_GRADE
    assert len(list(too_hard({"page": [*easy, HARD]}))) == 1
    short = [
        "Institutional identification documentation is unavailable.",
        "Comprehensive documentation of your identification necessitates authorization.",
    ]
    assert list(too_hard({"page": short[:1], "other": short[1:]})) == []
    assert len(list(too_hard({"page": short}))) == 1


def test_labels_are_not_sentences() -> None:
    assert not is_sentence("Account number")
    assert is_sentence("Choose “Do not share”.")
    assert is_sentence("Open “Data sharing.”")


# What the texts are for


def test_every_cluster_has_a_wording() -> None:
    assert set(WORDING) == set(DataCluster)


@pytest.mark.parametrize("words", WORDING.values(), ids=WORDING)
def test_a_cluster_is_explained_in_two_sentences_with_what_is_shared_and_what_is_not(
    words: ClusterWording,
) -> None:
    explanation = str(words.explanation)
    assert len(re.findall(r"\.(?= |$)", explanation)) == 2
    assert set(FIELD.findall(explanation)) <= {"recipient"}
    assert words.shared
    assert words.not_shared
    for text in (words.name, *words.shared, *words.not_shared):
        assert str(text)
        assert ";" not in str(text)
        assert not FIELD.findall(str(text))
    assert not {str(text) for text in words.shared} & {str(text) for text in words.not_shared}
