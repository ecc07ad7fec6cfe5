"""What a view finds of its application and of its request: typed, and of this request alone."""

from dataclasses import fields

from flask import Flask

from app.domain.language import Language
from app.web.current import RequestState, browser, customers, reference, request_state, services, trace_id
from app.web.edge import headers, language


def test_a_request_begins_with_nothing_of_the_one_before(app: Flask) -> None:
    with app.test_request_context("/"):
        headers.assign_trace_id()
        headers.set_correlation_id("a-flow")
        headers.set_directive("img-src", "https://logos.example")
        language.set_language(Language.FR)
        assert request_state() != RequestState()
    with app.test_request_context("/"):
        assert request_state() == RequestState()
        assert request_state() is request_state()
        assert language.current_language() is Language.EN


def test_no_name_beside_those_of_the_state_can_be_kept(app: Flask) -> None:
    """What one file writes and another reads is declared where both find it."""
    names = {field.name for field in fields(RequestState)}
    with app.test_request_context("/"):
        assert set(RequestState.__slots__) == names
        assert not hasattr(request_state(), "__dict__")


def test_the_reference_of_an_error_page_is_the_beginning_of_the_trace_id(app: Flask) -> None:
    with app.test_request_context("/"):
        headers.assign_trace_id("0123456789abcdef" * 2)
        headers.assign_trace_id("f" * 32)
        assert trace_id() == "0123456789abcdef" * 2
        assert reference() == "0123-4567-89AB"


def test_a_visitor_of_whom_nothing_is_known_is_nobody_at_any_provider(app: Flask) -> None:
    with app.test_request_context("/"):
        assert services().registry.providers
        assert customers() == []
        assert browser().id is None
