"""A proof of a key: one row for each rule of RFC 9449 4.3, and the rows of the conformance suite for them."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey

from app.domain.dpop import Proof, bound_to, check_proof, key_of, normalized, token_hash
from app.domain.jws import JwtRefused
from app.domain.single_use import UsedUp
from app.public_keys import import_public_key
from tests.support.builders import NOON
from tests.support.fapi import ISSUER, a_key, a_proof, algorithm_of, base64url, proof_claims, public, signed

KEY = a_key(kid=None)
KEYS = {kind: a_key(kind, kid=None) for kind in ("EC", "RSA", "OKP")}
PATH = "/api/v1/token"
TARGET = f"{ISSUER}{PATH}"
SECONDS = int(NOON.timestamp())
TOKEN = "an.access.token"


def check(*values: str, **changes: Any) -> Proof:
    how: dict[str, Any] = {
        "method": "POST",
        "target": TARGET,
        "now": NOON,
        "import_key": import_public_key,
        **changes,
    }
    return check_proof(values, **how)


def reason_for(*values: str, **changes: Any) -> str:
    with pytest.raises(JwtRefused) as refused:
        check(*values, **changes)
    return refused.value.reason


def claims(**changes: Any) -> dict[str, Any]:
    return proof_claims("POST", PATH, **changes)


def with_claims(**changes: Any) -> str:
    return a_proof(KEY, claims(**changes))


def with_header(**header: Any) -> str:
    return a_proof(KEY, claims(), **header)


@pytest.mark.parametrize("kind", KEYS)
def test_a_good_proof_is_one_use_of_its_key_at_this_target(kind: str) -> None:
    proof = check(a_proof(KEYS[kind], claims(jti="jti-1")))
    assert proof.jkt == KEYS[kind].thumbprint()
    assert (proof.use.kind, proof.use.names) == (UsedUp.PROOF, (proof.jkt, "POST", TARGET, "jti-1"))
    assert proof.use.forget_at == NOON + timedelta(seconds=61)


def test_both_names_of_ed25519_are_good() -> None:
    for algorithm in ("EdDSA", "Ed25519"):
        assert check(a_proof(KEYS["OKP"], claims(), alg=algorithm)).jkt == KEYS["OKP"].thumbprint()


def test_there_is_one_header() -> None:
    good = with_claims()
    assert check(f" {good} ").jkt == KEY.thumbprint()
    assert reason_for() == "not_one_header"
    assert reason_for(good, with_claims()) == "not_one_header"
    assert reason_for(f"{good}, {with_claims()}") == "not_one_header", "as a server joins two of them"
    assert reason_for("x" * 5000) == "not_one_header"
    assert reason_for("junk") == "malformed"


@pytest.mark.parametrize("typ", [None, "JWT", "dpop", "DPOP+JWT", "application/dpop+jwt", 7])
def test_its_type_is_dpop_jwt(typ: Any) -> None:
    assert reason_for(with_header(typ=typ)) == "typ"


@pytest.mark.parametrize("algorithm", ["none", "RS256", "HS256"])
def test_its_algorithm_is_an_allowed_one(algorithm: str) -> None:
    jwt = with_claims().split(".")
    header = base64url(f'{{"typ":"dpop+jwt","alg":"{algorithm}"}}'.encode())
    assert reason_for(f"{header}.{jwt[1]}.{jwt[2]}") == "alg"


@pytest.mark.parametrize(
    "jwk",
    [
        None,
        {},
        "text",
        [],
        {"kty": "oct", "k": "c2VjcmV0"},
        dict(KEY.as_dict(private=True)),
        public(KEYS["EC"], d="AAAA"),
        dict(KEYS["RSA"].as_dict(private=True)),
        public(ECKey.generate_key("P-384")),
        public(KEYS["RSA"], e="Aw"),
        public(KEYS["RSA"], n="_" * 1200),
    ],
)
def test_its_key_is_a_public_one_of_a_known_kind(jwk: Any) -> None:
    assert reason_for(with_header(jwk=jwk)) == "jwk"


def test_it_is_signed_with_its_own_key() -> None:
    assert reason_for(with_header(jwk=public(a_key()))) == "signature"
    assert reason_for(with_header(jwk=public(KEYS["RSA"]))) == "signature"
    good = with_claims()
    assert reason_for(good[:-4] + ("AAAA" if good[-4:] != "AAAA" else "BBBB")) == "signature"


@pytest.mark.parametrize("claim", ["jti", "htm", "htu", "iat"])
def test_each_of_these_claims_is_needed(claim: str) -> None:
    assert reason_for(with_claims(**{claim: None})) == claim


@pytest.mark.parametrize("method", ["PUT", "post", "GET", "", 7])
def test_it_is_for_this_method(method: Any) -> None:
    assert reason_for(with_claims(htm=method)) == "htm"


@pytest.mark.parametrize(
    "htu",
    [
        TARGET,
        f"{TARGET}?query=1",
        f"{TARGET}#fragment",
        TARGET.replace("http://localhost", "HTTP://LOCALHOST"),
        TARGET.replace("token", "%74oken"),
    ],
)
def test_however_the_target_is_written_it_is_the_same(htu: str) -> None:
    assert check(with_claims(htu=htu, jti="jti-1")).use == check(with_claims(jti="jti-1")).use


@pytest.mark.parametrize(
    "htu",
    [
        f"{TARGET}/",
        TARGET.replace("token", "Token"),
        TARGET.replace("token", "par"),
        TARGET.replace("8000", "8001"),
        TARGET.replace("http:", "https:"),
        TARGET.replace("localhost", "localhost.evil.example"),
        TARGET.replace("localhost", "user@localhost"),
        PATH,
        "",
        7,
        [TARGET],
        "http://[::1",
        "http://localhost:port/api/v1/token",
    ],
)
def test_another_target_is_another(htu: Any) -> None:
    assert reason_for(with_claims(htu=htu)) == "htu"


@pytest.mark.parametrize(
    ("uri", "normal"),
    [
        ("https://bank.example:443/a?b#c", "https://bank.example/a"),
        ("HTTPS://Bank.Example", "https://bank.example/"),
        ("http://bank.example:80/", "http://bank.example/"),
        ("https://bank.example:80/", "https://bank.example:80/"),
        ("https://bank.example/%7e%2f%C3%a9", "https://bank.example/~%2F%C3%A9"),
        ("https://[::1]:8000/a", "https://[::1]:8000/a"),
        ("ftp://bank.example/", None),
        ("bank.example", None),
    ],
)
def test_an_address_has_one_normal_form(uri: str, normal: str | None) -> None:
    assert normalized(uri) == normal


@pytest.mark.parametrize(
    ("seconds", "is_accepted"),
    [
        (-3600, False),
        (-61, False),
        (-60, True),
        (-10, True),
        (0, True),
        (8, True),
        (10, True),
        (30, True),
        (31, False),
        (61, False),
        (3600, False),
    ],
)
def test_it_was_made_lately_by_a_clock_that_may_be_a_little_ahead(seconds: int, is_accepted: bool) -> None:
    proof = with_claims(iat=SECONDS + seconds)
    if is_accepted:
        assert check(proof).use.forget_at == NOON + timedelta(seconds=seconds + 61), "longer than accepted"
    else:
        assert reason_for(proof) == "iat"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"nbf": SECONDS, "exp": SECONDS + 60}, None),
        ({"nbf": SECONDS + 30}, None),
        ({"nbf": SECONDS + 31}, "nbf"),
        ({"exp": SECONDS - 59}, None),
        ({"exp": SECONDS - 60}, "exp"),
        ({"exp": True}, "exp"),
        ({"nbf": "soon"}, "nbf"),
    ],
)
def test_where_it_has_a_beginning_and_an_end_they_count(changes: dict[str, Any], reason: str | None) -> None:
    if reason is None:
        assert check(with_claims(**changes)).jkt == KEY.thumbprint()
    else:
        assert reason_for(with_claims(**changes)) == reason


def test_other_members_do_not_matter() -> None:
    jwk = public(KEY, kid="k", use="sig", alg="ES256", x5c=["junk"])
    assert check(a_proof(KEY, claims(nonce="n", more=[1]), jwk=jwk, x5u="https://evil.example")).jkt


def test_an_extension_that_must_be_understood_is_not() -> None:
    assert reason_for(with_header(crit=["b64"])) == "crit"


def test_with_a_token_it_is_for_that_token() -> None:
    """RFC 9449 4.2, 4.3: `ath`."""
    assert check(with_claims(access_token=TOKEN), access_token=TOKEN).jkt == KEY.thumbprint()
    for ath in (None, token_hash("another"), TOKEN, 7, ""):
        assert reason_for(with_claims(ath=ath), access_token=TOKEN) == "ath"
    assert check(with_claims(access_token=TOKEN)).jkt, "where no token is presented it says too much"


def test_the_hash_of_a_token_is_that_of_the_rfc() -> None:
    """RFC 9449 7.1, figure 13."""
    token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
    assert token_hash(token) == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"  # pragma: allowlist secret


def test_a_claim_binds_a_token_to_a_key() -> None:
    assert bound_to("jkt-1", {"sub": "a"}) == {"sub": "a", "cnf": {"jkt": "jkt-1"}}
    assert bound_to(None, {"sub": "a"}) == {"sub": "a"}
    assert key_of(bound_to("jkt-1", {})) == "jkt-1"
    assert key_of({"sub": "a"}) is None


@given(
    st.dictionaries(
        st.sampled_from(["jti", "htm", "htu", "iat", "nbf", "exp", "ath"]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=9)
        | st.lists(st.text(max_size=3)),
        min_size=1,
    )
)
def test_claims_of_any_kind_are_refused_or_good_and_never_an_accident(changed: dict[str, Any]) -> None:
    proof = signed({**claims(), **changed}, KEY, typ="dpop+jwt", alg=algorithm_of(KEY), jwk=public(KEY))
    try:
        use = check(proof).use
    except JwtRefused:
        return
    assert NOON < use.forget_at <= NOON + timedelta(seconds=91)
