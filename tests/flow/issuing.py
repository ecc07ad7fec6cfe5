"""From an approval of everything to tokens, and what a refusal of them says."""

from dataclasses import replace
from typing import Any

import pytest

from app.domain.caller import Caller
from app.domain.consent import Answer, ShownConsent
from app.domain.errors import ErrorCode, OAuthError
from app.domain.evidence import Screen
from app.domain.language import Language
from app.domain.registry import Client
from app.domain.tokens import RedemptionRequest, RefreshRequest, TokenResponse
from app.flow.consent import Approved, ConsentFlow, SentAnswer
from app.flow.tokens import TokenFlow
from tests.support.builders import CALLBACK, EVERYTHING, a_client, a_request

BUDGET, LOANS = a_client(), a_client(client_id="dc-loans")
SHOWN = ShownConsent(Screen("the form", Language.EN, "catalogue-1"), None)


def approved_code(flow: ConsentFlow) -> str:
    """The code of an approval of everything."""
    pending = flow.begin(a_request(requested_scope=EVERYTHING), "browser-1")
    parties = flow.parties(pending.request)
    assert parties is not None
    sent = SentAnswer(
        answer=Answer.APPROVE,
        subject="maple-0001",
        screen_hash=SHOWN.screen.screen_hash,
        checked=EVERYTHING,
    )
    answer = flow.answer(pending, parties, sent, SHOWN)
    assert isinstance(answer, Approved)
    return answer.code


def redeem(
    flow: TokenFlow, code: str, client: Client = BUDGET, redirect_uri: str = CALLBACK
) -> TokenResponse:
    return flow.redeem(Caller(client), RedemptionRequest(code, redirect_uri, None))


def refresh(flow: TokenFlow, token: str | None, client: Client = BUDGET, **changes: Any) -> TokenResponse:
    assert token is not None
    return flow.refresh(Caller(client), replace(RefreshRequest(token, None), **changes))


def refused(error: pytest.ExceptionInfo[OAuthError]) -> ErrorCode:
    return error.value.error
