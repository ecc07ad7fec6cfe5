"""A screen is found again as it was shown, under its hash and no other."""

from app.domain.consent import ShownConsent
from app.domain.evidence import Screen
from app.domain.language import Language
from app.stores.ledger.evidence import EvidenceStore
from app.stores.ledger.ledger import Ledger
from tests.support.builders import a_decision, a_grant

SHOWN = Screen("Ce que vous partagez\u202f: \u2068Zoë\u2069", Language.FR, "catalogue-1")


def test_a_screen_is_found_as_it_was_shown(ledger: Ledger) -> None:
    decision = a_decision(screen_hash=SHOWN.screen_hash)
    ledger.record_decision(decision, a_grant(), ShownConsent(SHOWN, None))
    evidence = EvidenceStore(ledger.database)
    found = evidence.find_screen(SHOWN.screen_hash)
    assert found == SHOWN
    assert found.screen_hash == SHOWN.screen_hash
    assert evidence.find_screen(SHOWN.screen_hash.upper()) is None
    assert evidence.find_screen("") is None


def test_a_screen_that_nobody_answered_is_not_kept(ledger: Ledger) -> None:
    ledger.record_decision(a_decision(screen_hash=SHOWN.screen_hash), a_grant())
    assert EvidenceStore(ledger.database).find_screen(SHOWN.screen_hash) is None
