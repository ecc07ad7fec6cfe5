"""What a recipient or a bank asks for of its notices, and how it says that it has them (RFC 8936)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from app.domain.notice_poll import Poll
from app.domain.notices import notice_claims
from app.stores.ledger.notices import NoticeStore
from app.stores.signing_keys import SigningKeys

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class PollAnswer:
    """Security Event Tokens by their jti, and whether there are more."""

    sets: dict[str, str]
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticePolls:
    """Answers polls. Its method raises StoreUnavailable, and may be called again."""

    issuer: str
    notices: NoticeStore
    keys: SigningKeys
    clock: Callable[[], datetime]

    def answer(self, receiver: str, poll: Poll) -> PollAnswer:
        """Settles what the receiver has taken or refuses, and then gives it what is left, the oldest first.

        What it takes without saying so it gets again, signed anew.
        """
        now = self.clock()
        taken, refused = self.notices.settle(receiver, taken=poll.taken, refused=poll.refused, now=now)
        for notice in taken:
            _log.info("notice_acknowledged", **notice.facts, outcome="acknowledged")
        for notice in refused:
            _log.info("notice_refused", **notice.facts, outcome="dead", err=poll.refused[notice.notice_id])
        found = self.notices.unsettled_of(receiver, most=poll.most + 1)
        given = found[: poll.most]
        return PollAnswer(
            {
                notice.notice_id: self.keys.sign_event(notice_claims(notice, issuer=self.issuer, now=now))
                for notice in given
            },
            has_more=len(found) > poll.most,
        )
