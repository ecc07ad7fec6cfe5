"""Parameters as they were sent: once, repeated or not at all."""

from app.domain.params import Params


def test_params_say_what_is_there_once_and_what_more_often() -> None:
    params = Params.from_pairs([("a", "1"), ("b", "2"), ("b", "2")])
    assert params.single("a") == "1"
    assert params.single("b") is None
    assert params.single("c") is None
    assert params.is_repeated("b")
    assert not params.is_repeated("a")
