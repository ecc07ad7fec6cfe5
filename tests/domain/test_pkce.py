"""RFC 7636, S256 only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import pkce
from tests.support.builders import CHALLENGE, VERIFIER

VERIFIER_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"


def test_appendix_b_of_the_rfc_holds() -> None:
    assert pkce.challenge_of(VERIFIER) == CHALLENGE
    assert pkce.proves(VERIFIER, CHALLENGE)


@given(st.text(VERIFIER_CHARACTERS, min_size=43, max_size=128))
def test_every_verifier_proves_its_own_challenge_and_no_other(verifier: str) -> None:
    challenge = pkce.challenge_of(verifier)
    assert pkce.is_challenge(challenge)
    assert pkce.proves(verifier, challenge)
    assert not pkce.proves(verifier, CHALLENGE)


@pytest.mark.parametrize(
    ("verifier", "challenge", "is_proven"),
    [
        (None, None, True),
        (VERIFIER, CHALLENGE, True),
        # A verifier is missing, or sent although the request had no challenge (RFC 9700 4.8.2).
        (None, CHALLENGE, False),
        (VERIFIER, None, False),
        ("", CHALLENGE, False),
        # A wrong verifier, by a little or by much.
        (VERIFIER[:-1] + "l", CHALLENGE, False),
        (VERIFIER + "k", CHALLENGE, False),
        (VERIFIER.lower(), CHALLENGE, False),
        (VERIFIER + "\n", CHALLENGE, False),
        # `plain`, where the challenge is the verifier.
        (CHALLENGE, CHALLENGE, False),
        # No verifier at all, by its length or its characters (RFC 7636 4.1).
        ("a" * 42, pkce.challenge_of("a" * 42), False),
        ("a" * 129, pkce.challenge_of("a" * 129), False),
        ("a" * 42 + "+", pkce.challenge_of("a" * 42 + "+"), False),
        ("é" * 43, CHALLENGE, False),
        ("\udcff" * 43, CHALLENGE, False),
    ],
)
def test_a_verifier_must_answer_the_challenge_exactly(
    verifier: str | None, challenge: str | None, is_proven: bool
) -> None:
    assert pkce.proves(verifier, challenge) is is_proven


@pytest.mark.parametrize(
    "text",
    ["", CHALLENGE[:-1], CHALLENGE + "a", CHALLENGE + "=", CHALLENGE + "\n", "+" + CHALLENGE[1:], "é" * 43],
)
def test_a_challenge_is_43_characters_of_base64url(text: str) -> None:
    assert pkce.is_challenge(CHALLENGE)
    assert not pkce.is_challenge(text)
