"""The fault table of an authorization request, row by row and in its order (RFC 6749 4.1.2.1)."""

from contextlib import suppress
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.domain.authorization import (
    KNOWN_PARAMETERS,
    LONGEST_STATE,
    AuthorizationRequest,
    is_still_allowed,
    validate_authorization,
)
from app.domain.clusters import DataCluster
from app.domain.errors import ErrorCode, OAuthError, ReturnAddress, UnsafeRequest
from app.domain.language import Language
from app.domain.params import MOST_PARAMETERS, parse_params
from app.domain.registry import Status
from tests.support.builders import (
    BASIC,
    CALLBACK,
    CHALLENGE,
    EVERYTHING,
    a_client,
    a_provider,
    a_registry,
    a_request,
    query_params,
)

STATE = "af0ifjsldkj"
BASIC_AND_TRANSACTIONS = frozenset({DataCluster.ACCOUNT_BASIC, DataCluster.TRANSACTIONS})
SUSPENDED = "dc-suspended"
STRICT = "dc-strict"
REGISTRATION: dict[str, Any] = {
    "clusters": EVERYTHING - {DataCluster.INVESTMENTS},
    "needed_clusters": BASIC_AND_TRANSACTIONS,
    "statuses": {
        "1000": Status.ACTIVE,
        "2000": Status.PENDING_APPROVAL,
        "3000": Status.PENDING_ACTIVATION,
        "4000": Status.SUSPENDED,
        "6000": Status.ACTIVE,
    },
}
REGISTRY = a_registry(
    a_client(**REGISTRATION),
    a_client(**REGISTRATION, client_id=STRICT, pkce_required=True),
    a_client(**REGISTRATION, client_id=SUSPENDED, is_suspended=True),
    *(a_provider(provider_id=provider_id) for provider_id in ("1000", "2000", "3000", "4000", "5000")),
    a_provider(provider_id="6000", clusters=EVERYTHING - {DataCluster.TRANSACTIONS}),
)

# A value that no answer may repeat.
MARKED = "mArKeD"


@dataclass(frozen=True)
class Faulty:
    """A request with one fault: what differs from a good one, and the answer. An empty tuple leaves out."""

    row: int
    what: str
    changes: dict[str, tuple[str, ...]]
    error: ErrorCode
    is_page: bool = False
    state: str | None = field(default=STATE, kw_only=True)

    def __str__(self) -> str:
        return self.what


FAULTS = [
    Faulty(1, "client_id missing", {"client_id": ()}, ErrorCode.INVALID_CLIENT, True),
    Faulty(1, "client_id empty", {"client_id": ("",)}, ErrorCode.INVALID_CLIENT, True),
    Faulty(1, "client_id repeated", {"client_id": ("dc-budget",) * 2}, ErrorCode.INVALID_CLIENT, True),
    Faulty(1, "client_id unknown", {"client_id": (MARKED,)}, ErrorCode.INVALID_CLIENT, True),
    Faulty(1, "client_id suspended", {"client_id": (SUSPENDED,)}, ErrorCode.INVALID_CLIENT, True),
    Faulty(2, "redirect_uri missing", {"redirect_uri": ()}, ErrorCode.INVALID_REQUEST, True),
    Faulty(2, "redirect_uri empty", {"redirect_uri": ("",)}, ErrorCode.INVALID_REQUEST, True),
    Faulty(2, "redirect_uri repeated", {"redirect_uri": (CALLBACK,) * 2}, ErrorCode.INVALID_REQUEST, True),
    Faulty(
        2,
        "redirect_uri not registered",
        {"redirect_uri": (f"https://{MARKED}.example/",)},
        ErrorCode.INVALID_REQUEST,
        True,
    ),
    Faulty(3, "state repeated", {"state": (STATE, STATE)}, ErrorCode.INVALID_REQUEST, state=None),
    *(
        Faulty(3, f"{name} repeated", {name: (MARKED, MARKED)}, ErrorCode.INVALID_REQUEST)
        for name in KNOWN_PARAMETERS
        if name not in ("client_id", "redirect_uri", "state")
    ),
    Faulty(3, "state with NUL", {"state": ("a\x00b",)}, ErrorCode.INVALID_REQUEST, state=None),
    Faulty(3, "state not UTF-8", {"state": ("a\udcffb",)}, ErrorCode.INVALID_REQUEST, state=None),
    Faulty(3, "scope with NUL", {"scope": ("ACCOUNT_BASIC\x00",)}, ErrorCode.INVALID_REQUEST),
    Faulty(3, "lang not UTF-8", {"lang": ("\udcff",)}, ErrorCode.INVALID_REQUEST),
    Faulty(4, "state missing", {"state": ()}, ErrorCode.INVALID_REQUEST, state=None),
    Faulty(4, "state empty", {"state": ("",)}, ErrorCode.INVALID_REQUEST, state=None),
    Faulty(4, "state too long", {"state": ("s" * 2049,)}, ErrorCode.INVALID_REQUEST, state=None),
    Faulty(5, "response_type missing", {"response_type": ()}, ErrorCode.INVALID_REQUEST),
    Faulty(5, "response_type empty", {"response_type": ("",)}, ErrorCode.INVALID_REQUEST),
    *(
        Faulty(6, f"response_type {asked}", {"response_type": (asked,)}, ErrorCode.UNSUPPORTED_RESPONSE_TYPE)
        for asked in ("token", "code token", "code id_token", "CODE", " code", "code ", "none", MARKED)
    ),
    Faulty(7, "scope missing", {"scope": ()}, ErrorCode.INVALID_SCOPE),
    Faulty(7, "scope empty", {"scope": ("",)}, ErrorCode.INVALID_SCOPE),
    Faulty(7, "scope of spaces", {"scope": ("  ",)}, ErrorCode.INVALID_SCOPE),
    Faulty(7, "scope unknown", {"scope": (f"ACCOUNT_BASIC {MARKED}",)}, ErrorCode.INVALID_SCOPE),
    Faulty(7, "scope in lower case", {"scope": ("account_basic",)}, ErrorCode.INVALID_SCOPE),
    Faulty(7, "scope without ACCOUNT_BASIC", {"scope": ("TRANSACTIONS",)}, ErrorCode.INVALID_SCOPE),
    Faulty(7, "scope not registered", {"scope": ("ACCOUNT_BASIC INVESTMENTS",)}, ErrorCode.INVALID_SCOPE),
    Faulty(8, "provider_id missing", {"provider_id": ()}, ErrorCode.INVALID_REQUEST),
    Faulty(8, "provider_id empty", {"provider_id": ("",)}, ErrorCode.INVALID_REQUEST),
    Faulty(8, "provider_id unknown", {"provider_id": (MARKED,)}, ErrorCode.INVALID_REQUEST),
    Faulty(9, "pending approval", {"provider_id": ("2000",)}, ErrorCode.UNAUTHORIZED_CLIENT),
    Faulty(9, "pending activation", {"provider_id": ("3000",)}, ErrorCode.UNAUTHORIZED_CLIENT),
    Faulty(9, "suspended there", {"provider_id": ("4000",)}, ErrorCode.UNAUTHORIZED_CLIENT),
    Faulty(9, "never registered there", {"provider_id": ("5000",)}, ErrorCode.UNAUTHORIZED_CLIENT),
    Faulty(10, "a needed cluster not served", {"provider_id": ("6000",)}, ErrorCode.INVALID_SCOPE),
    Faulty(11, "PKCE missing where required", {"client_id": (STRICT,)}, ErrorCode.INVALID_REQUEST),
    *(
        Faulty(
            11,
            f"PKCE {what}",
            {"code_challenge": challenge, "code_challenge_method": method},
            ErrorCode.INVALID_REQUEST,
        )
        for what, challenge, method in [
            ("plain", (CHALLENGE,), ("plain",)),
            ("method absent, which means plain", (CHALLENGE,), ()),
            ("method in lower case", (CHALLENGE,), ("s256",)),
            ("method unknown", (CHALLENGE,), (MARKED,)),
            ("method without a challenge", (), ("S256",)),
            ("challenge too short", (CHALLENGE[:-1],), ("S256",)),
            ("challenge too long", (CHALLENGE + "A",), ("S256",)),
            ("challenge padded", (CHALLENGE + "=",), ("S256",)),
            ("challenge not base64url", ("+" * 43,), ("S256",)),
            ("challenge with a newline", (CHALLENGE + "\n",), ("S256",)),
        ]
    ),
    *(
        Faulty(11, f"correlation_id {what}", {"correlation_id": (text,)}, ErrorCode.INVALID_REQUEST)
        for what, text in [
            ("of 129 characters", "c" * 129),
            ("with a space", f"{MARKED} b"),
            ("with a newline", "a\n"),
            ("with a slash", "a/b"),
            ("not ASCII", "é"),
            ("with other digits", "١"),
        ]
    ),
]


def query_of(changes: dict[str, tuple[str, ...]]) -> bytes:
    pairs = [(name, value) for name, value in query_params().items() if name not in changes]
    pairs += [(name, value) for name, values in changes.items() for value in values]
    return urlencode(pairs, errors="surrogateescape").encode()


def validate(query: bytes | str) -> AuthorizationRequest:
    raw = query.encode() if isinstance(query, str) else query
    return validate_authorization(parse_params(raw), REGISTRY, fresh_correlation_id="fresh")


def validated(**changes: str) -> AuthorizationRequest:
    return validate(query_of({name: (value,) for name, value in changes.items()}))


def refusal_of(query: bytes) -> UnsafeRequest | OAuthError:
    with pytest.raises((UnsafeRequest, OAuthError)) as raised:
        validate(query)
    assert isinstance(raised.value, UnsafeRequest | OAuthError)
    return raised.value


def check_answer(refusal: UnsafeRequest | OAuthError, fault: Faulty, state: str | None) -> None:
    assert refusal.error is fault.error
    if isinstance(refusal, UnsafeRequest):
        assert fault.is_page
        return
    assert not fault.is_page
    assert refusal.return_to is not None
    assert (refusal.return_to.redirect_uri, refusal.return_to.state) == (CALLBACK, state)


# The table


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_each_fault_goes_where_the_table_says(fault: Faulty) -> None:
    check_answer(refusal_of(query_of(fault.changes)), fault, fault.state)


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_description_is_plain_english_that_repeats_nothing_the_caller_sent(fault: Faulty) -> None:
    description = refusal_of(query_of(fault.changes)).description
    assert description.isascii()
    assert description.isprintable()
    assert '"' not in description  # RFC 6749 4.1.2.1 leaves out the quote and the backslash
    assert "\\" not in description
    assert MARKED not in description


@pytest.mark.parametrize("earlier", FAULTS, ids=str)
def test_of_two_faults_the_earlier_row_answers(earlier: Faulty) -> None:
    alone = refusal_of(query_of(earlier.changes))
    for later in FAULTS:
        if later.row <= earlier.row or earlier.changes.keys() & later.changes.keys():
            continue
        state = None if later.state is None else earlier.state
        refusal = refusal_of(query_of({**earlier.changes, **later.changes}))
        check_answer(refusal, earlier, state)
        assert refusal.description == alone.description


def test_the_table_has_two_faults_at_once_for_nearly_every_two_rows() -> None:
    together = {
        (one.row, other.row)
        for one, other in combinations(FAULTS, 2)
        if one.row < other.row and not one.changes.keys() & other.changes.keys()
    }
    # The others are about one parameter, which has one fault at a time.
    assert set(combinations(range(1, 12), 2)) - together == {(5, 6), (8, 9), (8, 10), (9, 10)}


# What is accepted


def test_a_good_request_becomes_what_it_asks_for() -> None:
    request = validated(
        scope="TRANSACTIONS ACCOUNT_BASIC TRANSACTIONS",
        correlation_id="c-1",
        lang="fr-CA",
        code_challenge=CHALLENGE,
        code_challenge_method="S256",
    )
    assert request == a_request(
        requested_scope=BASIC_AND_TRANSACTIONS,
        correlation_id="c-1",
        language=Language.FR,
        code_challenge=CHALLENGE,
    )


def test_without_optional_parameters_it_is_english_and_has_a_fresh_correlation_id() -> None:
    request = validated()
    assert request.language is Language.EN
    assert request.correlation_id == "fresh"
    assert request.code_challenge is None
    assert request.return_to.redirect_uri == CALLBACK
    assert request.return_to.state == STATE


@pytest.mark.parametrize("name", ["lang", "correlation_id", "code_challenge", "code_challenge_method", "utm"])
def test_an_empty_value_counts_as_absent(name: str) -> None:
    assert validated(**{name: ""}) == validated()
    assert validate(query_of({name: ("", "")})) == validated()


def test_an_empty_value_beside_a_full_one_is_no_repetition() -> None:
    assert validate(query_of({"state": ("", STATE)})) == validated()


def test_unknown_parameters_are_ignored_whatever_they_are() -> None:
    """RFC 6749 3.1."""
    changes = {
        "utm": ("a", "b"),
        "STATE": ("x", "y"),
        "prompt": ("none",),
        "state[]": ("z",),
        "utm_campaign": ("\udce9t\udce9", "\x00"),
        "\udcff": ("x", "\udcff"),
    }
    assert validate(query_of(changes)) == validated()


@pytest.mark.parametrize(
    ("lang", "language"),
    [
        ("fr", Language.FR),
        ("FR", Language.FR),
        ("fr-CA", Language.FR),
        ("en", Language.EN),
        ("de", Language.EN),
    ],
)
def test_lang_counts_by_its_first_subtag_and_is_never_a_fault(lang: str, language: Language) -> None:
    assert validated(lang=lang).language is language


def test_ui_locales_count_where_lang_is_absent() -> None:
    assert validated(ui_locales="de fr-CA en").language is Language.FR
    assert validated(ui_locales="fr-CA", lang="en").language is Language.EN


@pytest.mark.parametrize("correlation_id", ["c", "c" * 128, "A-Za.z0_9-", "...", "-"])
def test_a_correlation_id_of_1_to_128_plain_characters_is_kept(correlation_id: str) -> None:
    assert validated(correlation_id=correlation_id).correlation_id == correlation_id


def test_pkce_may_be_used_by_a_client_that_need_not_and_must_by_one_that_must() -> None:
    for client_id in ("dc-budget", STRICT):
        request = validated(client_id=client_id, code_challenge=CHALLENGE, code_challenge_method="S256")
        assert request.code_challenge == CHALLENGE


def test_a_cluster_that_is_wanted_but_not_needed_may_be_missing_at_the_provider() -> None:
    assert validated(scope="ACCOUNT_BASIC", provider_id="6000").requested_scope == BASIC


# state


@pytest.mark.parametrize("character", ["s", "é", "汉", "🍁", "\n"])
def test_a_state_of_2048_characters_is_kept_and_one_more_is_too_many(character: str) -> None:
    assert LONGEST_STATE == 2048
    assert validated(state=character * 2048).state == character * 2048
    refusal = refusal_of(query_of({"state": (character * 2049,)}))
    assert isinstance(refusal, OAuthError)
    assert refusal.return_to is not None
    assert refusal.return_to.state is None


@pytest.mark.parametrize(
    ("on_the_wire", "state"),
    [
        (b"a+b", "a b"),
        (b"a%2Bb", "a+b"),
        (b"a%20b", "a b"),
        (b"100%25", "100%"),
        (b"%26x%3Dy", "&x=y"),
        (b"a=b=", "a=b="),
        (b"a;b", "a;b"),
        (b"%23%22%3C%3E", '#"<>'),
        (b"%0D%0ASet-Cookie:x", "\r\nSet-Cookie:x"),
        (b"%C3%89rable", "Érable"),
        ("Érable".encode(), "Érable"),  # unescaped UTF-8 is text too
        (b"\xc3%89rable", None),
        (b"\xff", None),
        (b"%FF", None),
        (b"%C3", None),
        (b"%ED%A0%80", None),
        (b"%C0%80", None),
        (b"%00", None),
        (b"%", "%"),
        (b"%zz", "%zz"),
    ],
)
def test_state_is_what_percent_decoding_yields_and_malformed_text_is_refused(
    on_the_wire: bytes, state: str | None
) -> None:
    query = query_of({"state": ()}) + b"&state=" + on_the_wire
    if state is None:
        check_answer(refusal_of(query), Faulty(3, "", {}, ErrorCode.INVALID_REQUEST), None)
    else:
        assert validate(query).state == state


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=2048)
)
def test_any_text_survives_as_a_state(state: str) -> None:
    query = query_of({"state": ()}) + b"&state=" + quote(state, safe="").encode()
    assert validate(query).state == state


# Sizes


def test_a_scope_of_ten_thousand_words_is_answered_like_any_other() -> None:
    many = "ACCOUNT_BASIC TRANSACTIONS " * 5_000
    assert validated(scope=many).requested_scope == BASIC_AND_TRANSACTIONS
    refusal = refusal_of(query_of({"scope": (f"{many} {MARKED}",)}))
    assert refusal.error is ErrorCode.INVALID_SCOPE


def test_more_parameters_than_any_client_sends_are_refused_before_they_are_read() -> None:
    few = MOST_PARAMETERS - len(query_params())
    assert validate(query_of({"x": ("y",) * few})) == validated()
    with pytest.raises(UnsafeRequest, match="too many parameters"):
        validate(query_of({"x": ("y",) * (few + 1)}))
    with pytest.raises(UnsafeRequest, match="too many parameters"):
        validate(b"&" * MOST_PARAMETERS)


# Whatever comes

ANYTHING = st.text(st.characters(), max_size=20) | st.binary(max_size=20).map(
    lambda raw: raw.decode("utf-8", "surrogateescape")
)
ADDRESSES = st.sampled_from(
    [
        CALLBACK,
        CALLBACK + "/",
        CALLBACK + "#",
        "//evil.example",
        "javascript:alert(1)",
        "http://localhost:8002/callback",
    ]
)
PAIRS = st.lists(
    st.tuples(st.sampled_from(KNOWN_PARAMETERS), ANYTHING)
    | st.tuples(st.just("redirect_uri"), ADDRESSES)
    | st.tuples(ANYTHING, ANYTHING)
    | st.sampled_from(sorted({**query_params(), "lang": "fr", "provider_id": "6000"}.items())),
    max_size=12,
)


def queries(pairs: list[tuple[str, str]]) -> bytes:
    return urlencode(
        [
            (name.encode("utf-8", "surrogatepass"), value.encode("utf-8", "surrogatepass"))
            for name, value in pairs
        ]
    ).encode()


@given(
    st.binary(max_size=300)
    | PAIRS.map(queries)
    | PAIRS.map(lambda pairs: query_of({}) + b"&" + queries(pairs))
)
@example(query_of({}))
def test_no_query_whatever_gets_anything_but_an_answer_to_a_registered_address(query: bytes) -> None:
    answered_to = address_of_answer(query)
    if answered_to is not None:
        assert answered_to.redirect_uri == CALLBACK
        assert len(answered_to.state or "") <= LONGEST_STATE


@given(PAIRS.map(lambda pairs: query_of({}) + b"&" + queries(pairs)))
@example(query_of({}))
def test_no_query_whatever_asks_for_more_than_is_registered(query: bytes) -> None:
    with suppress(UnsafeRequest, OAuthError):
        request = validate(query)
        client = REGISTRY.clients[request.client_id]
        assert BASIC <= request.requested_scope <= client.clusters
        assert client.status_with(request.provider_id) is Status.ACTIVE
        assert request.state


def address_of_answer(query: bytes) -> ReturnAddress | None:
    """Where the answer to `query` goes, good or bad; None for a page."""
    try:
        return validate(query).return_to
    except UnsafeRequest:
        return None
    except OAuthError as error:
        return error.return_to or pytest.fail("a refusal that goes nowhere")


# Waiting for an answer


@pytest.mark.parametrize(
    ("client", "provider", "is_allowed"),
    [
        ({}, {}, True),
        ({"redirect_uris": frozenset({"https://budget.example/callback"})}, {}, False),
        ({"statuses": {"1000": Status.SUSPENDED}}, {}, False),
        ({"statuses": {}}, {}, False),
        # A cluster that the recipient may no longer ask for.
        ({"clusters": BASIC}, {}, False),
        # The bank no longer has what is needed; what is not needed is merely unavailable.
        ({}, {"clusters": EVERYTHING - BASIC}, False),
        ({"needed_clusters": BASIC_AND_TRANSACTIONS}, {"clusters": BASIC}, False),
        ({}, {"clusters": BASIC}, True),
        # The request came without a code_challenge, which the recipient must now send.
        ({"pkce_required": True}, {}, False),
    ],
)
def test_a_request_is_answered_only_while_the_registrations_would_still_accept_it(
    client: dict[str, Any], provider: dict[str, Any], is_allowed: bool
) -> None:
    request = a_request(requested_scope=BASIC_AND_TRANSACTIONS)
    assert is_still_allowed(request, a_client(**client), a_provider(**provider)) is is_allowed


def test_a_request_with_a_code_challenge_is_still_allowed_where_one_is_required() -> None:
    request = a_request(code_challenge="c" * 43)
    assert is_still_allowed(request, a_client(pkce_required=True), a_provider())
