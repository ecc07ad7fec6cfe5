"""`make i18n` brings the texts of the code into every catalogue, and throws no translation away."""

import re
import shutil
from pathlib import Path

import polib
import pytest

from app.domain.language import Language
from app.web.text.catalogues import file_of
from app.web.text.po_file import UnusablePo, read_po
from tests.support.repository import ROOT
from tools.catalogues import TRANSLATIONS, merged, update

COMMA = "Check what you agree to. Nothing is checked for you."


@pytest.fixture
def translations(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TRANSLATIONS, tmp_path / "translations"))


def contents(translations: Path) -> dict[str, str]:
    return {str(path): path.read_text(encoding="utf-8") for path in translations.rglob("*.po*")}


def entry_of(texts: polib.POFile, msgid: str) -> polib.POEntry:
    (entry,) = [entry for entry in texts if entry.msgid == msgid and not entry.obsolete]
    return entry


def template_with(*changes: tuple[str, str]) -> polib.POFile:
    """The texts of the code, had somebody changed some of them."""
    template = read_po(TRANSLATIONS / "messages.pot")
    for old, new in changes:
        entry_of(template, old).msgid = new
    return template


def french() -> polib.POFile:
    return read_po(file_of(TRANSLATIONS, Language.FR))


def test_where_nothing_has_changed_no_file_does(translations: Path) -> None:
    before = contents(translations)
    update(translations)
    assert contents(translations) == before


@pytest.mark.parametrize("program", ["poedit", "weblate"])
def test_what_a_program_has_added_to_a_file_is_taken_out_and_no_text_is_lost(
    translations: Path, program: str
) -> None:
    before = contents(translations)
    path = file_of(translations, Language.FR)
    texts = polib.pofile(str(path), wrapwidth=78)
    texts.metadata |= read_po(ROOT / "tests" / "translators" / f"{program}.po").metadata
    texts.metadata |= {"Plural-Forms": "nplurals=2; plural=(n > 1);"}
    texts.save()
    assert contents(translations) != before
    update(translations)
    after = contents(translations)
    assert after.pop(str(path)).lower() == before.pop(str(path)).lower()
    assert after == before


def test_a_fuzzy_header_and_contexts_lost_on_the_way_through_another_format_delete_no_work(
    translations: Path,
) -> None:
    """So do tools for XLIFF: what had a context is another text now."""
    path = file_of(translations, Language.FR)
    texts = polib.pofile(str(path))
    wanted = {(entry.msgctxt, entry.msgid): entry.msgstr for entry in texts if entry.msgctxt}
    lost = re.sub(r"msgctxt .*\n", "", path.read_text(encoding="utf-8"))
    path.write_text(lost.replace('msgid ""', '#, fuzzy\nmsgid ""', 1), encoding="utf-8")
    assert len(wanted) > 10
    update(translations)
    after = read_po(path)
    found = {(entry.msgctxt, entry.msgid): entry for entry in after if not entry.obsolete}
    said = {entry.msgstr for entry in after}
    for key, text in wanted.items():
        assert found[key].fuzzy or found[key].msgstr == text
        assert text in said, "nothing that was translated is gone"
    assert not after.metadata_is_fuzzy


def test_a_changed_comma_leaves_the_translation_as_fuzzy_beside_the_sentence_that_it_was_of() -> None:
    changed = COMMA.replace("agree to. Nothing", "agree to: nothing")
    made = entry_of(merged(french(), template_with((COMMA, changed)), Language.FR), changed)
    assert made.fuzzy
    assert made.msgstr == entry_of(french(), COMMA).msgstr
    assert made.previous_msgid == COMMA
    written = str(made)
    assert written.count("#| msgid") == 1


def test_a_plural_that_changes_keeps_every_form() -> None:
    month = "They can see %(num)s month of past activity."
    template = template_with((month, month.replace("past", "earlier")))
    made = entry_of(merged(french(), template, Language.FR), month.replace("past", "earlier"))
    assert made.msgstr_plural == entry_of(french(), month).msgstr_plural
    assert made.fuzzy


def test_the_translation_of_a_sentence_that_has_gone_stays_as_obsolete_until_somebody_prunes_it() -> None:
    template = template_with()
    template.remove(entry_of(template, COMMA))
    made = merged(french(), template, Language.FR)
    (gone,) = [entry for entry in made if entry.obsolete]
    assert gone.msgid == COMMA
    assert gone.msgstr == entry_of(french(), COMMA).msgstr
    back = merged(made, template_with(), Language.FR)
    assert entry_of(back, COMMA).msgstr == gone.msgstr, "and is taken up again with its sentence"
    assert not entry_of(back, COMMA).fuzzy


def test_pruning_takes_out_what_is_obsolete_and_nothing_else(translations: Path) -> None:
    before = contents(translations)
    path = file_of(translations, Language.FR)
    gone = '\n#~ msgid "A wholly different matter"\n#~ msgstr "Tout autre chose"\n'
    path.write_text(path.read_text(encoding="utf-8") + gone, encoding="utf-8")
    update(translations)
    assert "Tout autre chose" in path.read_text(encoding="utf-8")
    update(translations, prunes=True)
    assert contents(translations) == before


def test_no_translation_is_guessed_from_one_that_is_still_in_use() -> None:
    template = template_with()
    template.append(polib.POEntry(msgid=COMMA.replace("Check", "Please check")))
    made = entry_of(merged(french(), template, Language.FR), COMMA.replace("Check", "Please check"))
    assert made.msgstr == ""


def test_what_a_translator_has_marked_stays_marked() -> None:
    old = french()
    uncertain = entry_of(old, COMMA)
    uncertain.flags, uncertain.tcomment, uncertain.previous_msgid = ["fuzzy"], "À revoir.", "No box."
    made = entry_of(merged(old, template_with(), Language.FR), COMMA)
    assert (made.fuzzy, made.tcomment, made.previous_msgid) == (True, "À revoir.", "No box.")


def test_a_rule_for_plurals_that_a_translator_has_corrected_stays_with_room_for_its_forms() -> None:
    old = french()
    old.metadata["Plural-Forms"] = "nplurals=3; plural=(n == 1 ? 0 : n == 2 ? 1 : 2);"
    made = merged(old, template_with(), Language.FR)
    assert made.metadata["Plural-Forms"] == old.metadata["Plural-Forms"]
    plural = next(entry for entry in made if entry.msgid_plural)
    assert sorted(plural.msgstr_plural) == [0, 1, 2]
    assert plural.msgstr_plural[2] == ""


def test_a_file_that_cannot_be_read_stops_it_before_anything_is_written(translations: Path) -> None:
    path = file_of(translations, Language.FR)
    path.write_text(path.read_text(encoding="utf-8") + "<<<<<<< HEAD\n", encoding="utf-8")
    before = contents(translations)
    with pytest.raises(UnusablePo, match="<<<<<<< HEAD"):
        update(translations)
    assert contents(translations) == before


def test_a_language_without_a_file_gets_one(translations: Path) -> None:
    path = file_of(translations, Language.FR)
    shutil.rmtree(path.parent.parent)
    update(translations)
    made = read_po(path)
    assert made.metadata["Plural-Forms"] == "nplurals=2; plural=(n > 1);"
    assert made.header == "The texts of Accord in French (Canada)"
    assert not any(entry.translated() for entry in made)
