"""The sentences that tests name are those of the catalogues."""

from difflib import get_close_matches

import polib
import pytest

from app.domain.language import Language
from tests.support import texts
from tests.support.repository import ROOT
from tests.support.texts import Text

NAMED = {name: text for name, text in vars(texts).items() if isinstance(text, Text)}
MSGIDS = [entry.msgid for entry in polib.pofile(ROOT / "translations" / "messages.pot")]


@pytest.mark.parametrize("name", NAMED)
def test_a_text_that_tests_name_is_in_every_catalogue(name: str) -> None:
    msgid = NAMED[name].msgid
    near = get_close_matches(msgid, MSGIDS, n=1)
    missing = [lang for lang in Language if not NAMED[name].is_in_the_catalogue(lang)]
    assert missing == [], f"{name} in tests/support/texts.py says {msgid!r}; is it {near} by now?"
