"""The guard's decisions: the order of its checks, and the answer to each case (docs/banks.md)."""

import hashlib
import json
import uuid
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws, jwt
from joserfc.jwk import ECKey, OctKey

from examples.bank.authorization_server import MOST_KEPT, AuthorizationServer
from examples.bank.guard import CALLS, Decision, Guard
from tests.examples.stand_in import (
    ALL,
    AUDIENCE,
    CREDENTIALS,
    SUBJECT,
    StandIn,
    account_resource,
    customer_resource,
    later,
)
from tests.support.builders import NOON
from tests.support.ports import free_port
from tests.support.repository import ROOT

BASIC = frozenset({"ACCOUNT_BASIC"})
JWKS, INTROSPECT = "/.well-known/jwks.json", "/api/v1/introspect"


@pytest.fixture
def accord() -> Iterator[StandIn]:
    with StandIn() as running:
        yield running


def guard_at(accord: StandIn, *, withdrawal_delay: timedelta = timedelta(0), **options: Any) -> Guard:
    server = AuthorizationServer(accord.issuer, *CREDENTIALS, withdrawal_delay=withdrawal_delay)
    return Guard(AUDIENCE, server, **options)


@pytest.fixture
def guard(accord: StandIn) -> Guard:
    return guard_at(accord)


def ask(
    guard: Guard,
    token: str,
    path: str = "/accounts",
    query: str = "",
    *,
    method: str = "GET",
    now: datetime = NOON,
) -> Decision:
    return guard.decide(method, path, query, [("Authorization", f"Bearer {token}")], now)


def outcome(decision: Decision) -> tuple[int, str | None]:
    return decision.status, decision.fdx_code


# The vectors


VECTORS = json.loads((ROOT / "examples" / "bank" / "vectors.json").read_text(encoding="utf-8"))
NAMES = [vector["name"] for vector in VECTORS["vectors"]]


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=NAMES)
def test_a_vector_gets_its_answer(accord: StandIn, guard: Guard, vector: dict[str, Any]) -> None:
    token = accord.sign(**vector.get("token", {}))
    told = vector.get("introspection", {"consent": "accounts"})
    if "consent" in told:
        consent = VECTORS["consents"][told["consent"]]
        accord.grant(
            *consent["resources"],
            token=token,
            **{**consent.get("introspection", {}), **told.get("changes", {})},
        )
    headers = [
        (name, value.replace("{token}", token))
        for name, value in vector["request"].get("headers", [["Authorization", "Bearer {token}"]])
    ]
    request = vector["request"]
    now = datetime.fromisoformat(VECTORS["now"])
    decision = guard.decide(
        request.get("method", "GET"), request["path"], request.get("query", ""), headers, now
    )
    said: dict[str, Any] = {"status": decision.status}
    if decision.fdx_code:
        said["code"] = decision.fdx_code
    if decision.www_authenticate:
        said["www_authenticate"] = decision.www_authenticate
    if decision.allowed:
        accounts = decision.accounts
        said["subject"] = decision.subject
        said["accounts"] = accounts and {name: sorted(clusters) for name, clusters in accounts.items()}
        if accounts == {}:
            said["accounts"] = {}
        said["clusters"] = sorted(decision.clusters)
        for name, day in (("earliest", decision.earliest), ("latest", decision.latest)):
            said[name] = None if day is None else day.isoformat()
    assert said == vector["answer"]


def test_every_call_and_every_kind_of_refusal_is_in_a_vector() -> None:
    assert len(set(NAMES)) == len(NAMES)
    answers = {(vector["answer"]["status"], vector["answer"].get("code")) for vector in VECTORS["vectors"]}
    assert answers >= {
        (200, None),
        (400, "702"),
        (400, "703"),
        (401, "602"),
        (404, "701"),
        (404, "1107"),
        (405, "1107"),
    }
    asked = {vector["request"]["path"] for vector in VECTORS["vectors"] if vector["answer"]["status"] == 200}
    assert {path.replace("acc-1", "{}").replace("/2026-10", "/{}") for path in asked} >= CALLS.keys()


# The table of calls: every path, cluster and account


OWN, OTHER, UNKNOWN = "acc-own", "acc-other", "acc-unknown"


@pytest.mark.parametrize("path", CALLS)
@pytest.mark.parametrize("cluster", ALL)
@pytest.mark.parametrize("account_id", [OWN, OTHER, UNKNOWN])
@pytest.mark.parametrize("chosen", [True, False], ids=["chosen accounts", "every account"])
def test_a_call_is_open_with_its_own_clusters_for_the_accounts_of_the_consent(
    accord: StandIn, guard: Guard, path: str, cluster: str, account_id: str, chosen: bool
) -> None:
    granted = {"ACCOUNT_BASIC", cluster}
    of_account = sorted(granted - {"CUSTOMER_CONTACT", "CUSTOMER_PERSONAL"})
    of_customer = sorted(granted - set(of_account))
    resources = (
        [account_resource(OWN, *of_account), *([customer_resource(*of_customer)] if of_customer else [])]
        if chosen
        else [customer_resource(*sorted(granted))]
    )
    token = accord.grant(*resources, scope=" ".join(sorted(granted)))
    asked = path.replace("{}", account_id, 1).replace("{}", "2026-10")
    decision = ask(guard, token, asked)
    call = CALLS[path]
    is_about_an_account = path.startswith("/accounts/")
    if is_about_an_account and chosen and account_id != OWN:
        assert outcome(decision) == (404, "701")
    elif not granted & call.clusters:
        assert outcome(decision) == (401, "602")
        assert decision.www_authenticate is not None
        assert "insufficient_scope" in decision.www_authenticate
    else:
        assert decision.allowed
        assert decision.subject == SUBJECT
        told = frozenset(granted) & call.clusters | (
            BASIC if call.fields in ("account", "accounts") else frozenset()
        )
        if path == "/customers/current":
            assert decision.accounts == {}
        elif not chosen and not is_about_an_account:
            assert decision.accounts is None
        else:
            assert decision.accounts == {OWN if not is_about_an_account else account_id: told}
        assert decision.clusters == told


def test_an_account_that_is_foreign_and_one_that_is_unknown_get_the_same_answer(
    accord: StandIn, guard: Guard
) -> None:
    token = accord.grant(account_resource(OWN, *ALL[:6]))
    assert ask(guard, token, f"/accounts/{OTHER}") == ask(guard, token, f"/accounts/{UNKNOWN}")


def test_each_account_is_told_from_its_own_clusters(accord: StandIn, guard: Guard) -> None:
    chequing = account_resource("a", "ACCOUNT_BASIC", "TRANSACTIONS")
    token = accord.grant(chequing, account_resource("b", "ACCOUNT_BASIC", "INVESTMENTS"))
    assert ask(guard, token).accounts == {"a": BASIC, "b": BASIC}
    assert ask(guard, token, query="resultType=details").accounts == {"b": BASIC | {"INVESTMENTS"}}
    assert outcome(ask(guard, token, "/accounts/a")) == (401, "602")
    assert outcome(ask(guard, token, "/accounts/b/transactions")) == (401, "602")


def test_two_hundred_accounts_are_all_there(accord: StandIn, guard: Guard) -> None:
    token = accord.grant(*(account_resource(f"acc-{number}", *ALL[:6]) for number in range(200)))
    decision = ask(guard, token, query="resultType=details")
    assert decision.accounts is not None
    assert len(decision.accounts) == 200
    assert ask(guard, token, "/accounts/acc-199/transactions").allowed


def test_a_token_for_less_than_its_consent_opens_less(accord: StandIn, guard: Guard) -> None:
    token = accord.grant(account_resource(OWN, *ALL[:6]), scope="ACCOUNT_BASIC")
    assert ask(guard, token).allowed
    assert outcome(ask(guard, token, f"/accounts/{OWN}/transactions")) == (401, "602")


def test_a_consent_without_any_cluster_of_accounts_is_not_for_every_account(
    accord: StandIn, guard: Guard
) -> None:
    token = accord.grant(customer_resource("CUSTOMER_CONTACT"))
    assert ask(guard, token, "/customers/current").allowed
    assert outcome(ask(guard, token)) == (401, "602")
    assert outcome(ask(guard, token, f"/accounts/{OWN}/contact")) == (404, "701")


def test_the_resource_of_another_customer_opens_nothing(accord: StandIn, guard: Guard) -> None:
    token = accord.grant(customer_resource(*ALL, subject="somebody-else"))
    for path in CALLS:
        assert not ask(guard, token, path.replace("{}", OWN)).allowed


def test_insufficient_scope_may_be_403(accord: StandIn) -> None:
    token = accord.grant(account_resource(OWN, "ACCOUNT_BASIC"))
    guard = guard_at(accord, insufficient_scope_status=403)
    assert outcome(ask(guard, token, f"/accounts/{OWN}/transactions")) == (403, "602")


# The token


def test_only_a_token_that_accord_signed_for_this_api_is_asked_about(accord: StandIn, guard: Guard) -> None:
    good = accord.sign()
    other = ECKey.generate_key("P-256", {"kid": "one"})
    claims = {"iss": accord.issuer, "aud": AUDIENCE, "sub": SUBJECT, "client_id": "c", "exp": 2**40}
    shared = OctKey.import_key("a shared secret of enough bytes, at least 32", {"kid": "one"})
    nothing = b64encode(b'{"alg":"none","typ":"at+jwt","kid":"one"}').decode().rstrip("=")
    unsigned = f"{nothing}.{good.split('.')[1]}."
    for token in (
        jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": "one"}, claims, other),
        jwt.encode({"alg": "HS256", "typ": "at+jwt", "kid": "one"}, claims, shared),
        unsigned,
        "a.b.c",
        "x",
        good[:-2],
        accord.sign(header={"typ": "JWT"}),
        accord.sign(header={"kid": "two"}),
        accord.sign(header={"kid": None}),
        accord.sign(aud=f"{AUDIENCE}/"),
        accord.sign(aud=[AUDIENCE, "http://localhost:8003/northern"]),
        accord.sign(aud=None),
        accord.sign(iss="http://localhost:1"),
        accord.sign(exp=int(NOON.timestamp())),
        accord.sign(exp=None),
        accord.sign(exp="never"),
    ):
        accord.grant(customer_resource(*ALL), token=token)
        assert outcome(ask(guard, token)) == (401, "602"), token
    assert INTROSPECT not in accord.asked


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Authorization", "{token}")],
        [("Authorization", "Basic {token}")],
        [("Authorization", "Bearer {token} {token}")],
        [("Authorization", "Bearer {token},Bearer {token}")],
        [("Authorization", "Bearer {token}"), ("authorization", "Bearer {token}")],
        [("Authorization", "Bearer\t{token}")],
        [("Authorization", "Bearer {token}\n")],
        [("X-Authorization", "Bearer {token}")],
    ],
)
def test_there_is_one_token_and_it_stands_in_the_header(
    accord: StandIn, guard: Guard, headers: list[tuple[str, str]]
) -> None:
    token = accord.grant(customer_resource(*ALL))
    sent = [(name, value.format(token=token)) for name, value in headers]
    decision = guard.decide("GET", "/accounts", "", sent, NOON)
    assert outcome(decision) == (401, "602")
    assert decision.www_authenticate == 'Bearer error="invalid_token"'
    assert accord.asked == []


def test_a_token_in_the_address_is_refused_even_beside_a_good_one(accord: StandIn, guard: Guard) -> None:
    token = accord.grant(customer_resource(*ALL))
    assert outcome(ask(guard, token, query=f"access_token={token}")) == (401, "602")


def test_a_token_that_is_bound_to_a_key_is_no_bearer_token(accord: StandIn, guard: Guard) -> None:
    bound = {"jkt": "the thumbprint of a key"}
    assert outcome(ask(guard, accord.grant(customer_resource(*ALL), cnf=bound))) == (401, "602")
    token = accord.grant(customer_resource(*ALL), token=accord.sign(cnf=bound))
    assert outcome(ask(guard, token)) == (401, "602")


DPOP_KEY = ECKey.generate_key("P-256")


def dpop(
    token: str, path: str = "/accounts", *, key: ECKey = DPOP_KEY, now: datetime = NOON, **changes: Any
) -> list[tuple[str, str]]:
    """The headers that present a bound token, with a good proof but for the `changes` of its claims."""
    claims = {
        "jti": str(changes.pop("jti", uuid.uuid4())),
        "htm": "GET",
        "htu": f"{AUDIENCE}{path}",
        "iat": int(now.timestamp()),
        "ath": urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode(),
        **changes,
    }
    header = {"alg": "ES256", "typ": "dpop+jwt", "jwk": key.as_dict(private=False)}
    proof = jwt.encode(header, claims, key, algorithms=["ES256"])
    return [("Authorization", f"DPoP {token}"), ("DPoP", proof)]


def a_bound_token(accord: StandIn) -> str:
    cnf = {"jkt": DPOP_KEY.thumbprint()}
    return accord.grant(customer_resource(*ALL), token=accord.sign(cnf=cnf), cnf=cnf)


def test_a_bound_token_opens_its_data_with_the_proof_of_its_key(accord: StandIn, guard: Guard) -> None:
    token = a_bound_token(accord)
    assert guard.decide("GET", "/accounts", "", dpop(token), NOON).allowed
    assert guard.decide(
        "GET", "/accounts", "limit=1", dpop(token, htu=f"{AUDIENCE}/accounts?x#y"), NOON
    ).allowed


@pytest.mark.parametrize(
    "changes",
    [
        {"htm": "POST"},
        {"htu": "https://evil.example/accounts"},
        {"htu": f"{AUDIENCE}/customers/current"},
        {"htu": 7},
        {"iat": int(NOON.timestamp()) - 61},
        {"iat": int(NOON.timestamp()) + 31},
        {"iat": "now"},
        {"iat": 10**400},
        {"iat": float("inf")},
        {"iat": float("nan")},
        {"ath": "another token's"},
        {"key": ECKey.generate_key("P-256")},
    ],
    ids=range(12),
)
def test_a_proof_for_something_else_opens_nothing(
    accord: StandIn, guard: Guard, changes: dict[str, Any]
) -> None:
    decision = guard.decide("GET", "/accounts", "", dpop(a_bound_token(accord), **changes), NOON)
    assert outcome(decision) == (401, "602")
    assert decision.www_authenticate == 'DPoP error="invalid_dpop_proof"'


@pytest.mark.parametrize("part", [0, 1])
def test_a_proof_that_is_nested_too_deeply_opens_nothing(accord: StandIn, guard: Guard, part: int) -> None:
    """Whoever makes a proof signs it with a key of their own, so that its claims are read whatever they are."""
    key = ECKey.generate_key("P-256")
    header = {"alg": "ES256", "typ": "dpop+jwt", "jwk": key.as_dict(private=False)}
    parts = [json.dumps(header).encode(), b"{}"]
    parts[part] = b'{"alg": "ES256", "x": ' + b"[" * 2_900
    proof = jws.serialize_compact(header, parts[1], key, algorithms=["ES256"])
    if part == 0:
        proof = f"{urlsafe_b64encode(parts[0]).rstrip(b'=').decode()}.{proof.partition('.')[2]}"
    headers = [("Authorization", f"DPoP {a_bound_token(accord)}"), ("DPoP", proof)]
    assert outcome(guard.decide("GET", "/accounts", "", headers, NOON)) == (401, "602")


def test_a_proof_is_used_once_and_there_is_one(accord: StandIn, guard: Guard) -> None:
    token = a_bound_token(accord)
    sent = dpop(token, iat=int(later(seconds=30).timestamp()))
    assert guard.decide("GET", "/accounts", "", sent, NOON).allowed
    for now in (NOON, later(seconds=90)):
        assert outcome(guard.decide("GET", "/accounts", "", sent, now)) == (401, "602")
    for headers in (sent[:1], [*dpop(token), dpop(token)[1]], [sent[0], ("DPoP", "junk")]):
        assert outcome(guard.decide("GET", "/accounts", "", headers, NOON)) == (401, "602")


def test_a_bearer_token_is_not_bound_by_a_proof(accord: StandIn, guard: Guard) -> None:
    token = accord.grant(customer_resource(*ALL))
    assert outcome(guard.decide("GET", "/accounts", "", dpop(token), NOON)) == (401, "602")


# The consent is asked about each time


def test_a_consent_that_is_over_is_over_with_the_next_call(accord: StandIn, guard: Guard) -> None:
    token = accord.grant(customer_resource(*ALL))
    assert ask(guard, token).allowed
    accord.answers[token] = {"active": False}
    assert outcome(ask(guard, token)) == (401, "602")
    assert accord.asked.count(INTROSPECT) == 2


def test_a_withdrawal_delay_is_what_it_says_and_at_most_half_a_minute(accord: StandIn) -> None:
    guard = guard_at(accord, withdrawal_delay=timedelta(seconds=20))
    token = accord.grant(customer_resource(*ALL))
    assert ask(guard, token).allowed
    accord.answers[token] = {"active": False}
    assert ask(guard, token, now=later(seconds=19)).allowed
    assert outcome(ask(guard, token, now=later(seconds=20))) == (401, "602")
    for delay in (timedelta(seconds=30.5), timedelta(seconds=-1)):
        with pytest.raises(ValueError, match="withdrawal_delay"):
            guard_at(accord, withdrawal_delay=delay)


def test_an_expired_token_does_not_live_on_in_the_delay(accord: StandIn) -> None:
    guard = guard_at(accord, withdrawal_delay=timedelta(seconds=30))
    token = accord.grant(customer_resource(*ALL), token=accord.sign(exp=int(later(seconds=5).timestamp())))
    assert ask(guard, token).allowed
    assert outcome(ask(guard, token, now=later(seconds=5))) == (401, "602")


def test_only_positive_answers_are_kept_and_not_more_than_ten_thousand(accord: StandIn) -> None:
    server = AuthorizationServer(accord.issuer, *CREDENTIALS, withdrawal_delay=timedelta(seconds=30))
    for _ in range(2):
        assert not server.introspect("nothing", NOON)["active"]
    assert accord.asked.count(INTROSPECT) == 2
    accord.grant(customer_resource(*ALL), token="first")
    accord.grant(customer_resource(*ALL), token="last")
    assert server.introspect("first", NOON)["active"]
    kept = server._answers  # noqa: SLF001  # what a copy of the memory would show
    assert "first" not in repr(list(kept))
    (name,) = kept
    for number in range(MOST_KEPT - 1):
        kept[number.to_bytes(32)] = kept[name]
    assert server.introspect("last", NOON)["active"]
    assert len(kept) == MOST_KEPT
    assert name not in kept


# Keys


def test_keys_are_kept_for_ten_minutes(accord: StandIn, guard: Guard) -> None:
    token = accord.grant(customer_resource(*ALL), token=accord.sign(exp=2**40))
    for now in (NOON, later(minutes=9.9)):
        assert ask(guard, token, now=now).allowed
    assert accord.asked.count(JWKS) == 1
    assert ask(guard, token, now=later(minutes=10)).allowed
    assert accord.asked.count(JWKS) == 2


def test_a_new_key_is_found_and_an_invented_one_makes_one_call_in_ten_seconds(
    accord: StandIn, guard: Guard
) -> None:
    assert ask(guard, accord.grant(customer_resource(*ALL))).allowed
    accord.key = ECKey.generate_key("P-256", {"kid": "two"})
    accord.published = [*accord.published, accord.key]
    token = accord.grant(customer_resource(*ALL))
    for seconds in range(10):
        assert outcome(ask(guard, token, now=later(seconds=seconds))) == (401, "602")
    assert accord.asked.count(JWKS) == 1
    assert ask(guard, token, now=later(seconds=10)).allowed
    for number in range(5):
        invented = accord.sign(header={"kid": f"invented-{number}"})
        assert outcome(ask(guard, invented, now=later(seconds=20 + number))) == (401, "602")
    assert accord.asked.count(JWKS) == 3


def test_a_key_that_is_published_no_more_is_not_used_after_ten_minutes(accord: StandIn, guard: Guard) -> None:
    token = accord.grant(customer_resource(*ALL), token=accord.sign(exp=2**40))
    assert ask(guard, token).allowed
    accord.published = [ECKey.generate_key("P-256", {"kid": "two"})]
    assert outcome(ask(guard, token, now=later(minutes=10))) == (401, "602")


# Without Accord


def test_without_accord_nothing_is_open(accord: StandIn, guard: Guard) -> None:
    token = accord.grant(customer_resource(*ALL))
    nobody = Guard(AUDIENCE, AuthorizationServer(f"http://localhost:{free_port()}", *CREDENTIALS))
    assert outcome(ask(nobody, token)) == (503, "503")
    assert ask(guard, token).allowed  # the keys are known from now on
    accord.hangs_up = True
    assert outcome(ask(guard, token)) == (503, "503")


def test_an_accord_that_is_slower_than_a_second_counts_as_away(accord: StandIn, guard: Guard) -> None:
    token = accord.grant(customer_resource(*ALL))
    assert ask(guard, token).allowed
    accord.wait.clear()
    assert outcome(ask(guard, token)) == (503, "503")
    accord.wait.set()
    assert ask(guard, token).allowed


def test_while_keys_cannot_be_fetched_nobody_waits_for_more_than_one_try(
    accord: StandIn, guard: Guard
) -> None:
    token = accord.grant(customer_resource(*ALL))
    accord.wait.clear()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: outcome(ask(guard, token)), range(8)))
    accord.wait.set()
    assert answers == [(503, "503")] * 8
    assert accord.asked == [JWKS]
    assert ask(guard, token, now=later(seconds=1)).allowed


@pytest.mark.parametrize("status", [302, 401, 429, 500, 503])
def test_an_answer_that_is_no_answer_opens_nothing(accord: StandIn, guard: Guard, status: int) -> None:
    token = accord.grant(customer_resource(*ALL))
    assert ask(guard, token).allowed
    accord.status = status
    assert outcome(ask(guard, token)) == (503, "503")


@pytest.mark.parametrize(
    "changes",
    [
        {"active": None},
        {"active": "true"},
        {"sub": "maple-0002"},
        {"sub": None},
        {"client_id": "dc-loans"},
        {"scope": None},
        {"scope": 5},
        {"authorization_details": None},
        {"authorization_details": 5},
        {"authorization_details": [5]},
        {"authorization_details": [{"type": "fdx_v1.0"}]},
        {"authorization_details": [{"type": "fdx_v1.0", "consentRequest": {"resources": [{}]}}]},
        {"authorization_details": [{"type": "fdx_v1.0", "consentRequest": {"resources": [{"resourceType": "ACCOUNT", "resourceId": [], "dataClusters": []}]}}]},
        {"lookbackPeriod": "long"},
        {"lookbackPeriod": []},
    ],
)  # fmt: skip
def test_an_introspection_that_is_not_as_documented_opens_nothing(
    accord: StandIn, guard: Guard, changes: dict[str, Any]
) -> None:
    token = accord.grant(customer_resource(*ALL), **changes)
    assert outcome(ask(guard, token)) == (503, "503")


def test_what_is_added_to_an_introspection_is_passed_over(accord: StandIn, guard: Guard) -> None:
    of_others = [{"type": "another", "consentRequest": 5}]
    documents = {"resourceType": "DOCUMENT", "resourceId": "d", "dataClusters": ["TAX"]}
    token = accord.grant(customer_resource(*ALL))
    told = dict(accord.answers[token])
    [own] = told["authorization_details"]
    own["consentRequest"]["resources"].append(documents)
    accord.answers[token] = {**told, "authorization_details": [*of_others, own], "added": True}
    assert ask(guard, token).accounts is None


# Paths and methods


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "accounts",
        "/accounts/",
        "//accounts",
        "/accounts//acc-own",
        "/accounts/acc-own/",
        "/accounts/../accounts",
        "/accounts/%2e%2e/accounts",
        "/accounts/.",
        "/accounts/..",
        "/accounts/acc-other%2F..%2Facc-own",
        "/accounts%2Facc-own",
        "/accounts/acc-own%2Ftransactions",
        "/accounts/acc-own%2ftransactions",
        "/accounts/acc-own;x=1/transactions",
        "/accounts/acc-own/transactions;x",
        "/accounts/%252e%252e",
        "/accounts/acc-own%252Ftransactions",
        "/accounts/acc-own%00",
        "/accounts/acc-own%0a",
        "/accounts/acc-own%20",
        "/accounts/acc%C3%A9",
        "/accounts/acc%ff",
        "/accounts/acc%5Cown",
        "/accounts/acc%3Fown",
        "/accounts/" + "x" * 257,
        "/Accounts",
        "/ACCOUNTS/acc-own",
        "/accounts/acc-own/Transactions",
        "/accounts/acc-own/transactions/1",
        "/accounts/acc-own/asset-transfer-networks",
        "/accounts/acc-own/statements/1/2",
        "/accounts/{}/{}",
        "/customers",
        "/customers/current/",
        "/customers/maple-0001",
        "/payments",
        "http://localhost/accounts",
        "*",
    ],
)
def test_a_path_that_is_not_in_the_table_is_not_found(accord: StandIn, guard: Guard, path: str) -> None:
    token = accord.grant(customer_resource(*ALL))
    assert outcome(ask(guard, token, path)) == (404, "1107")


def test_no_request_makes_it_fail_or_opens_another_account(accord: StandIn) -> None:
    guard = guard_at(accord, withdrawal_delay=timedelta(seconds=30))
    token = accord.grant(account_resource("acc-own", *ALL[:6]), lookbackPeriod=90)
    parts = st.sampled_from(
        ["accounts", "acc-own", "acc-other", "transactions", "..", "%2e%2e", "%2F", ";", "", "\x00"]
    )
    paths = st.lists(parts | st.text(max_size=4), max_size=6).map(lambda segments: "/".join(["", *segments]))
    names = st.sampled_from(["startTime", "endTime", "resultType", "limit", "access_token"]) | st.text(
        max_size=4
    )
    queries = st.lists(st.tuples(names, st.text(max_size=12)), max_size=3).map(
        lambda pairs: "&".join(f"{name}={value}" for name, value in pairs)
    )

    @given(paths | st.text(), queries | st.text())
    def check(path: str, query: str) -> None:
        decision = ask(guard, token, path, query)
        assert decision.allowed == (decision.status == 200)
        assert decision.status in (200, 400, 401, 404)
        if decision.allowed:
            assert decision.accounts is not None
            assert decision.accounts.keys() <= {"acc-own"}

    check()


def test_a_path_may_be_encoded_once(accord: StandIn, guard: Guard) -> None:
    token = accord.grant(account_resource("acc-own", *ALL[:6]), account_resource("a:b@c", *ALL[:6]))
    assert ask(guard, token, "/%61ccounts/acc%2Down").allowed
    assert ask(guard, token, "/accounts/a%3Ab%40c/transactions").allowed
    assert ask(guard, token, "/accounts/a:b@c/transactions").allowed


@pytest.mark.parametrize(
    "method", ["HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "get", "GET ", "TRACE", "X"]
)
def test_another_method_than_get_is_refused(accord: StandIn, guard: Guard, method: str) -> None:
    token = accord.grant(customer_resource(*ALL))
    assert outcome(ask(guard, token, method=method)) == (405, "1107")


# History


@pytest.mark.parametrize("path", ["/accounts/acc-own/transactions", "/accounts/acc-own/statements"])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", date(2026, 8, 26)),
        ("startTime=2026-08-26", date(2026, 8, 26)),
        ("startTime=2026-08-26T00:00:00Z", date(2026, 8, 26)),
        ("startTime=2026-11-01&endTime=2026-11-30", date(2026, 11, 1)),
        ("startTime=2026-08-25", "703"),
        ("startTime=2026-08-25T23:59:59Z", "703"),
        ("startTime=2026-08-26T00%3A30%3A00%2B02:00", "703"),
        ("startTime=2026-11-02&endTime=2026-11-01", "703"),
        ("startTime=2026-11-01&startTime=2020-01-01", "703"),
        ("startTime=yesterday", "702"),
        ("startTime=2026-13-01", "702"),
        ("startTime=", "702"),
        ("endTime=soon", "702"),
        ("startTime=0001-01-01T00:00:00%2B14:00", "702"),
    ],
)
def test_history_begins_where_the_customer_allowed(
    accord: StandIn, guard: Guard, path: str, query: str, expected: date | str
) -> None:
    token = accord.grant(account_resource("acc-own", *ALL[:6]), lookbackPeriod=90)
    decision = ask(guard, token, path, query)
    if isinstance(expected, str):
        assert outcome(decision) == (400, expected)
    else:
        assert decision.earliest == expected


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ("2026-11-15", date(2026, 11, 15)),
        ("20261115", date(2026, 11, 15)),
        ("2026-11-15T23:59:59Z", date(2026, 11, 15)),
        ("2026-11-16T00%3A30%3A00%2B02:00", date(2026, 11, 15)),
    ],
)
def test_history_ends_with_the_day_that_was_asked_for_however_it_is_written(
    accord: StandIn, guard: Guard, last: str, expected: date
) -> None:
    token = accord.grant(account_resource("acc-own", *ALL[:6]), lookbackPeriod=90)
    assert ask(guard, token, "/accounts/acc-own/transactions", f"endTime={last}").latest == expected
    assert ask(guard, token, "/accounts/acc-own/transactions").latest is None


@pytest.mark.parametrize("days", [40_000, 10**7, 10**12, 10**400])
def test_a_lookback_beyond_all_history_is_none_that_matters(accord: StandIn, guard: Guard, days: int) -> None:
    token = accord.grant(account_resource("acc-own", *ALL[:6]), lookbackPeriod=days)
    decision = ask(guard, token, "/accounts/acc-own/transactions")
    assert decision.allowed
    assert decision.earliest == date(1926, 12, 19)


def test_without_a_lookback_history_has_no_limit(accord: StandIn, guard: Guard) -> None:
    token = accord.grant(account_resource("acc-own", *ALL[:6]))
    assert ask(guard, token, "/accounts/acc-own/transactions").earliest is None
    assert ask(guard, token, "/accounts/acc-own/transactions", "startTime=1999-01-01").earliest == date(
        1999, 1, 1
    )


def test_an_unknown_kind_of_list_is_refused(accord: StandIn, guard: Guard) -> None:
    token = accord.grant(account_resource("acc-own", *ALL[:6]))
    assert ask(guard, token, query="resultType=lightweight").clusters == BASIC
    assert outcome(ask(guard, token, query="resultType=everything")) == (400, "1107")
    assert outcome(ask(guard, token, query="resultType=lightweight&resultType=details")) == (400, "703")
