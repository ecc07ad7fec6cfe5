"""What a bank may call its customers. What its tokens must prove is in tests/web/test_oidc_sign_in.py."""

from typing import Any

import pytest

from app.sign_in import Cause, SignInFailed
from app.sign_in.id_token import name_of, subject_of


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"name": "Alex Tremblay", "given_name": "A", "preferred_username": "b"}, "Alex Tremblay"),
        ({"given_name": "Alex", "family_name": "Tremblay", "preferred_username": "b"}, "Alex Tremblay"),
        ({"given_name": "Alex"}, "Alex"),
        ({"family_name": "Tremblay"}, "Tremblay"),
        ({"preferred_username": "alex.tremblay"}, "alex.tremblay"),
        ({"name": "", "given_name": " ", "preferred_username": "alex"}, "alex"),
        ({"name": "\u200b\u202e", "given_name": "Alex"}, "Alex"),
        ({"name": ["Alex"], "given_name": 5, "family_name": None, "preferred_username": {}}, ""),
        ({"email": "alex@example.com"}, ""),
        ({}, ""),
        ({"name": " Alex\n\tTremblay\u2066 \ud83d"}, "Alex Tremblay"),
        ({"name": "Zoë d’Étoile 🍁"}, "Zoë d’Étoile 🍁"),
        ({"name": "x" * 1000}, "x" * 256),
    ],
    ids=str,
)
def test_a_customer_is_called_by_the_first_name_that_can_be_read(claims: dict[str, Any], name: str) -> None:
    assert name_of(claims) == name


@pytest.mark.parametrize("subject", ["a", "x" * 255, "248289761001", "auth0|5f7c8ec7c33c6c004bbafe82", "a b"])
def test_a_subject_is_taken_as_it_is(subject: str) -> None:
    assert subject_of({"sub": subject}) == subject


@pytest.mark.parametrize("subject", ["", "x" * 256, "a\nb", "a\x00", "é", 5, None, ["a"]])
def test_what_cannot_name_a_person_for_good_names_nobody(subject: object) -> None:
    with pytest.raises(SignInFailed) as raised:
        subject_of({"sub": subject})
    assert raised.value.cause is Cause.UNPROVEN
