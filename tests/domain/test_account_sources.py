"""The address of one customer's accounts: a subject is one segment of its path, whatever it says."""

import pytest

from app.domain.account_sources import ServiceSource, fault_in_address_with_subject

SERVICE = ServiceSource(
    address="https://api.bank.example/customers/{subject}/accounts?resultType=lightweight",
    token_address="https://login.bank.example/token",
    client_id="accord",
    client_secret="secret",
)


@pytest.mark.parametrize(
    ("subject", "segment"),
    [
        ("alex", "alex"),
        ("a/../b", "a%2F..%2Fb"),
        ("a?b=c#d", "a%3Fb%3Dc%23d"),
        ("50%2F", "50%252F"),
        ("{subject}", "%7Bsubject%7D"),
        ("...", "..."),
        ("a b", "a%20b"),
        ("a\\b", "a%5Cb"),
    ],
)
def test_a_subject_is_one_segment(subject: str, segment: str) -> None:
    assert SERVICE.address_for(subject) == (
        f"https://api.bank.example/customers/{segment}/accounts?resultType=lightweight"
    )


@pytest.mark.parametrize("subject", ["", ".", ".."])
def test_a_subject_that_would_lead_elsewhere_has_no_address(subject: str) -> None:
    with pytest.raises(ValueError, match="segment"):
        SERVICE.address_for(subject)


def test_no_secret_is_in_what_is_printed() -> None:
    assert "secret'" not in repr(SERVICE)


@pytest.mark.parametrize(
    "address",
    [
        "https://api.bank.example/accounts",
        "https://api.bank.example/c-{subject}/accounts",
        "https://api.bank.example/{subject}/{subject}",
        "https://api.bank.example/accounts?of={subject}",
        "https://{subject}/accounts",
        "https://[{subject}/accounts",
    ],
)
def test_an_address_has_the_subject_once_as_a_segment(address: str) -> None:
    assert fault_in_address_with_subject(address) == (
        "must have {subject} once, as a whole segment of its path"
    )
