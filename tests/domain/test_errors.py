"""The two ways a request can be refused."""

from app.domain.errors import ErrorCode, OAuthError, ReturnAddress, UnsafeRequest


def test_a_page_and_a_redirect_are_two_types_that_no_handler_can_confuse() -> None:
    assert not issubclass(UnsafeRequest, OAuthError)
    assert not issubclass(OAuthError, UnsafeRequest)


def test_a_refusal_goes_nowhere_until_it_is_given_a_proven_address() -> None:
    refusal = OAuthError(ErrorCode.INVALID_SCOPE, "scope is missing")
    assert refusal.return_to is None
    address = ReturnAddress("https://loans.example/callback", "af0ifjsldkj")
    delivered = refusal.returning_to(address)
    assert delivered.return_to == address
    assert (delivered.error, delivered.description) == (refusal.error, refusal.description)
    assert refusal.return_to is None
