"""What the programs of translators write is read as it is, or named with its file and line."""

import re
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path

import polib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.language import Language
from app.web.text.catalogues import file_of
from app.web.text.po_file import PluralRule, UnusablePo, compile_po
from tests.support.repository import ROOT
from tools.catalogues import TRANSLATIONS

SAMPLES = ROOT / "tests" / "translators"
FRENCH = file_of(TRANSLATIONS, Language.FR).read_text(encoding="utf-8")
MONTHS = (
    "They can see up to %(num)s month of past activity.",
    "They can see up to %(num)s months of past activity.",
)

HEADER = """\
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=2; plural=(n > 1);\\n"
"""
LEFT = """
msgid "%(num)s day is left"
msgid_plural "%(num)s days are left"
msgstr[0] "Il reste %(num)s jour"
msgstr[1] "Il reste %(num)s jours"
"""
YES = '\nmsgid "Yes"\nmsgstr "Oui"\n'


def texts_of(path: Path) -> GNUTranslations:
    return GNUTranslations(BytesIO(compile_po(path)))


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "messages.po"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def faults_of(folder: Path, content: str | bytes) -> list[str]:
    """What is wrong with the file, each with the file's name, and its line where it has one."""
    with pytest.raises(UnusablePo) as unusable:
        compile_po(written(folder, content))
    for fault in unusable.value.faults:
        assert re.search(r"/messages\.po(:[1-9]\d*)?: ", fault), fault
    return unusable.value.faults


# What programs write


@pytest.mark.parametrize("program", ["msgmerge", "msgcat", "poedit", "weblate"])
def test_a_file_is_read_as_a_program_has_saved_it(program: str) -> None:
    texts = texts_of(SAMPLES / f"{program}.po")
    assert texts.gettext("Data sharing") == "Partage de données"
    assert texts.pgettext("label", "Until") == "Jusqu’au"
    assert texts.gettext("Error: %(title)s") == "Erreur : %(title)s"
    for number in (0, 1, 2, 24, 1_000_000):
        assert texts.ngettext(*MONTHS, number).startswith("Cette entreprise pourra voir")
    assert texts.gettext("It stops at once.") == "It stops at once.", "fuzzy ones are not shown"
    assert texts.gettext("No box is checked for you.") == "No box is checked for you.", (
        "obsolete ones are not"
    )


def test_a_fuzzy_header_is_named(tmp_path: Path) -> None:
    """Tools for XLIFF write one. gettext would leave the header out, and with it the encoding."""
    (fault,) = faults_of(tmp_path, (SAMPLES / "xliff2po.po").read_bytes())
    assert "its header is fuzzy" in fault
    assert ":2: " in fault or ":1: " in fault


@pytest.mark.parametrize("program", ["msgmerge", "msgcat", "poedit", "weblate"])
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda content: content.replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(lambda content: content.replace(b"\n", b"\r"), id="CR"),
        pytest.param(lambda content: b"\xef\xbb\xbf" + content, id="byte order mark"),
        pytest.param(lambda content: content + b"\n\n", id="blank lines"),
        pytest.param(lambda content: content.replace(b"\nmsg", b"\n\t msg"), id="indented"),
        pytest.param(lambda content: content.replace(b"#, ", b"#,"), id="no space after a comma"),
        pytest.param(lambda content: content.replace("# À".encode(), "#À".encode()), id="no space after #"),
        pytest.param(
            lambda content: content.replace("À".encode(), "\u2068À\u2028".encode()), id="odd comment"
        ),
    ],
)
def test_how_lines_end_and_begin_changes_no_text(tmp_path: Path, program: str, change: object) -> None:
    assert callable(change)
    path = SAMPLES / f"{program}.po"
    assert compile_po(written(tmp_path, change(path.read_bytes()))) == compile_po(path)


@pytest.mark.parametrize(
    "date",
    ["", "2026-11-28 07:20+0000", "2026-11-28T07:20:00Z", "YEAR-MO-DA HO:MI+ZONE", "28 nov. 2026", "\\t"],
)
@pytest.mark.parametrize("name", ["POT-Creation-Date", "PO-Revision-Date", "X-Crowdin-Project"])
def test_no_date_in_a_header_matters(tmp_path: Path, name: str, date: str) -> None:
    dated = HEADER.replace('"Content', f'"{name}: {date}\\n"\n"Content')
    assert compile_po(written(tmp_path, dated + YES)) == compile_po(written(tmp_path, HEADER + YES))


def test_the_whole_french_catalogue_wrapped_and_dated_has_the_same_texts(tmp_path: Path) -> None:
    texts = polib.pofile(FRENCH, wrapwidth=40)
    texts.metadata |= {"POT-Creation-Date": "", "X-Generator": "Poedit 3.2.2"}
    texts.save(str(tmp_path / "messages.po"))
    assert compile_po(tmp_path / "messages.po") == compile_po(file_of(TRANSLATIONS, Language.FR))


# What cannot be used


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        (HEADER.replace('utf-8\\n"', "utf-8\\n") + YES, 3, "neither a comment nor a keyword"),
        (HEADER + '\nmsgid "Yes"\nmsgstr "Oui\n', 7, "neither a comment nor a keyword"),
        (HEADER + '\nmsgid "Yes"\nmsgstr "O"ui"\n', 7, "neither a comment nor a keyword"),
        (HEADER + '\nmsgid "Yes"\nmsgstr "O\\ui"\n', 7, "neither a comment nor a keyword"),
        (HEADER + "\n<<<<<<< HEAD" + YES, 6, "neither a comment nor a keyword"),
        (HEADER + "\n=======" + YES, 6, "neither a comment nor a keyword"),
        (HEADER + '\nmsgid "Yes"\n' + YES, 6, "begins no whole entry"),
        (HEADER + YES + '\nmsgid "No"\n', 9, "begins no whole entry"),
        (HEADER + '\nmsgstr "Oui"\n', 6, "begins no whole entry"),
        ('"Oui"\n' + HEADER, 1, "begins no whole entry"),
        (HEADER + '\nmsgid "Yes"\nmsgstr[0] "Oui"\n', 6, "begins no whole entry"),
        (HEADER + LEFT.replace("msgstr[0]", "msgstr[1]"), 8, "lacks a plural form before it"),
        (HEADER + LEFT.replace("msgstr[1]", "msgstr[0]"), 9, "lacks a plural form before it"),
        (HEADER + '\nmsgid "Yes"\nmsgstr "O\u202eui"\n', 7, "U+202E"),
        (HEADER + '\nmsgid "Yes"\nmsgstr "O\u200bui"\n', 7, "U+200B"),
        (HEADER + '\nmsgid "Yes"\nmsgstr "O\x00ui"\n', 7, "U+0000"),
        (HEADER + '\nmsgid "Yes"\nmsgstr "O\u2028ui"\n', 7, "U+2028"),
        (HEADER + '\nmsgid "Yes"\nmsgstr "O\\rui"\n', 6, "U+000D"),
        (b"\xff\xfe" + (HEADER + YES).encode("utf-16-le"), 1, "is not in UTF-8"),
        ((HEADER + '\nmsgid "Yes"\nmsgstr "Où"\n').encode("latin-1"), 7, "is not in UTF-8"),
        (HEADER.replace("charset=utf-8", "charset=ISO-8859-1") + YES, 1, "does not say charset=UTF-8"),
        (HEADER.replace("charset=utf-8", "charset=CHARSET") + YES, 1, "does not say charset=UTF-8"),
        (YES, 1, "has no header"),
        ("", 1, "has no header"),
        ("#, fuzzy\n" + HEADER + YES, 1, "its header is fuzzy"),
        (HEADER + YES + YES, 9, "is there twice"),
        (HEADER + YES + "\n" + HEADER, 9, "is a second header"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path: Path, content: str | bytes, line: int, says: str) -> None:
    (fault,) = faults_of(tmp_path, content)
    assert says in fault
    assert f"/messages.po:{line}: " in fault


@pytest.mark.parametrize("mark", ["\N{LEFT-TO-RIGHT MARK}", "\N{RIGHT-TO-LEFT MARK}"])
def test_a_text_may_say_in_which_direction_it_goes_on(tmp_path: Path, mark: str) -> None:
    path = written(tmp_path, HEADER + YES.replace("Oui", f"Oui{mark}"))
    assert texts_of(path).gettext("Yes") == f"Oui{mark}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Il reste des jours", "has lost a field of its sentence: %(num)s"),
        ("Il reste %(nombre)s jours", "has a field that its sentence has not: %(nombre)s"),
        ("Il reste %(num)s jours, 100 %", "write %%"),
        ("Il reste %(num) jours", "has lost a field"),
    ],
)
def test_a_form_that_could_not_be_filled_in_is_named(tmp_path: Path, text: str, says: str) -> None:
    (fault,) = faults_of(tmp_path, HEADER + LEFT.replace("Il reste %(num)s jours", text))
    assert says in fault


# Plurals


@pytest.mark.parametrize(
    ("forms", "left"),
    [
        ("nplurals=2; plural=(n > 1);", LEFT.replace('msgstr[1] "Il reste %(num)s jours"\n', "")),
        ("nplurals=2; plural=(n > 1);", LEFT.replace('"Il reste %(num)s jours"', '""')),
        ("nplurals=2; plural=(n > 1);", LEFT.replace('"Il reste %(num)s jour"', '""')),
        ("nplurals=2; plural=(n > 1);", LEFT + 'msgstr[2] "Il reste %(num)s jours"\n'),
        ("nplurals=3; plural=(n == 0 || n == 1) ? 0 : n % 1000000 == 0 ? 1 : 2;", LEFT),
        ("nplurals=1; plural=0;", LEFT),
    ],
)
def test_a_header_promises_as_many_forms_as_there_are(tmp_path: Path, forms: str, left: str) -> None:
    header = HEADER.replace("nplurals=2; plural=(n > 1);", forms)
    (fault,) = faults_of(tmp_path, header + left)
    assert "plural forms where the header promises" in fault
    assert "%(num)s day is left" in fault


@pytest.mark.parametrize(
    "forms",
    [
        "nplurals=2; plural=(more than 1);",
        "nplurals=2; plural=(n > 1;",
        "nplurals=2; plural=n;",
        "nplurals=2; plural=(n == 0 ? 2 : 1);",
        "nplurals=2; plural=n % 3;",
        "nplurals=2; plural=1 / n;",
        "nplurals=2; plural=n * 1000000000000 > 2 ? 2 : 0;",
        f"nplurals=2; plural={'(' * 400}n{')' * 400};",
        "nplurals=2; plural=;",
        "nplurals=0; plural=0;",
        "nplurals=INTEGER; plural=EXPRESSION;",
        "nplurals=2;",
        "",
    ],
)
def test_a_rule_that_finds_no_form_for_a_number_is_named(tmp_path: Path, forms: str) -> None:
    (fault,) = faults_of(tmp_path, HEADER.replace("nplurals=2; plural=(n > 1);", forms) + YES)
    assert "Plural-Forms in its header" in fault


@pytest.mark.parametrize(
    "forms",
    [
        "nplurals=1; plural=0;",
        "nplurals=2; plural=n != 1",
        "nplurals=3; plural=(n == 0 || n == 1) ? 0 : n != 0 && n % 1000000 == 0 ? 1 : 2;",
        "nplurals=3; plural=n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2;",
        "nplurals=6; plural=(n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : n%100>=11 ? 4 : 5);",
    ],
)
def test_the_rules_of_the_worlds_languages_are_understood(forms: str) -> None:
    assert PluralRule(forms).forms == int(forms.removeprefix("nplurals=")[0])


def test_a_form_for_one_number_may_have_that_number_in_its_word(tmp_path: Path) -> None:
    """Inuktitut has a dual. The form for several numbers must say which."""
    dual = HEADER.replace("nplurals=2; plural=(n > 1);", "nplurals=3; plural=(n == 1 ? 0 : n == 2 ? 1 : 2);")
    left = LEFT.replace("Il reste %(num)s jours", "Il reste deux jours")
    third = 'msgstr[2] "Il reste %(num)s jours"\n'
    texts = texts_of(written(tmp_path, dual + left + third))
    sentence = "%(num)s day is left", "%(num)s days are left"
    assert [texts.ngettext(*sentence, number) for number in (1, 2, 3)] == [
        "Il reste %(num)s jour",
        "Il reste deux jours",
        "Il reste %(num)s jours",
    ]
    (fault,) = faults_of(tmp_path, dual + left + third.replace("%(num)s", "quelques"))
    assert "has lost a field" in fault


# Whatever else somebody writes


@given(st.data())
def test_a_damaged_file_is_read_or_named(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = (SAMPLES / "msgmerge.po").read_bytes()
    at = data.draw(st.integers(0, len(content)))
    cut = data.draw(st.integers(0, 12))
    snippets = st.sampled_from(
        [b'"', b"\\", b"\n", b"\r", b"#~ ", b"#| ", b"#,", b"msgid ", b"\xc2\x85", b"\x00", b"%"]
    )
    planted = data.draw(snippets | st.binary(max_size=6))
    path = tmp_path_factory.getbasetemp() / "damaged.po"
    path.write_bytes(content[:at] + planted + content[at + cut :])
    try:
        GNUTranslations(BytesIO(compile_po(path)))
        faults = ["damaged.po: none"]
    except UnusablePo as unusable:
        faults = unusable.faults
    assert faults
    assert all(re.search(r"damaged\.po(:[1-9]\d*)?: .", fault) for fault in faults)
