"""The parameters of one HTTP request, decoded: a query string or a form body (RFC 6749 3.1, appendix B)."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from app.domain.errors import ErrorCode, OAuthError, UnreadableRequest

MOST_PARAMETERS = 100  # of one request: a judgement, since OAuth libraries send about ten


@dataclass(frozen=True, slots=True)
class Params:
    """A query or a body, decoded: the values of each parameter, in the order in which they were sent.

    A parameter with an empty value counts as absent (RFC 6749 3.1). A byte that is not UTF-8 is kept as a
    lone surrogate, so that the value differs from every registered text.
    """

    values: Mapping[str, tuple[str, ...]]

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[str, str]]) -> "Params":
        """The parameters of `pairs`, each of which is a name and a value."""
        values: dict[str, tuple[str, ...]] = {}
        for name, value in pairs:
            values[name] = (*values.get(name, ()), value)
        return cls(values)

    def single(self, name: str) -> str | None:
        """The one value of `name`; None when it is absent or repeated."""
        values = self.values.get(name, ())
        return values[0] if len(values) == 1 else None

    def is_repeated(self, name: str) -> bool:
        return len(self.values.get(name, ())) > 1

    def is_text(self, name: str) -> bool:
        """Whether every value of `name` was valid UTF-8 without a NUL."""
        return all(is_text(value) for value in self.values.get(name, ()))


def parse_params(query: bytes) -> Params:
    """The parameters of a raw query string or form body.

    Raises UnreadableRequest for more than MOST_PARAMETERS, before any of them is decoded.
    """
    try:
        pairs = parse_qsl(
            query.decode("utf-8", "surrogateescape"),
            keep_blank_values=False,
            encoding="utf-8",
            errors="surrogateescape",
            max_num_fields=MOST_PARAMETERS,
        )
    except ValueError as error:
        raise UnreadableRequest(ErrorCode.INVALID_REQUEST, "The request has too many parameters") from error
    return Params.from_pairs(pairs)


def check_form(params: Params, known: Collection[str]) -> None:
    """RFC 6749 3.1, 3.2: each `known` parameter appears at most once, and its value is valid UTF-8.

    Malformed text is refused and not repaired. Unknown parameters are ignored, whatever their values are.
    Raises OAuthError `invalid_request`.
    """
    sent = [name for name in params.values if name in known]
    if any(params.is_repeated(name) for name in sent):
        raise OAuthError(ErrorCode.INVALID_REQUEST, "A parameter is repeated")
    if not all(params.is_text(name) for name in sent):
        raise OAuthError(ErrorCode.INVALID_REQUEST, "A parameter is not valid UTF-8 text")


def is_text(text: str) -> bool:
    """Whether `text` came from valid UTF-8 and has no NUL."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate stands where a byte was not UTF-8
        return False
    return "\x00" not in text
