"""A recipient with keys in the registration file: what its profile asks, and which keys it may have."""

import re
from pathlib import Path

import pytest

from app.domain.registry import Profile
from app.registration.file import RegistryError, read_registry
from tests.support.fapi import DEMO_KEY, a_key, demo_key, public
from tests.support.registrations import DEMO_REGISTRY

DEMO_X = f'x = "{DEMO_KEY["x"]}"'
PROFILE = 'profile = "fapi2"\n'
KEYS = "[recipients.jwks]\nkeys = ["


def edited(tmp_path: Path, *edits: tuple[str, str]) -> Path:
    text = DEMO_REGISTRY.read_text(encoding="utf-8")
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / "registry.toml"
    path.write_text(text, encoding="utf-8")
    return path


def faults_after(tmp_path: Path, *edits: tuple[str, str], allow_demo: bool = True) -> list[str]:
    with pytest.raises(RegistryError) as raised:
        read_registry(edited(tmp_path, *edits), allow_demo=allow_demo)
    return [re.sub(r"^\S+:\d+: ", "", fault) for fault in raised.value.faults]


def test_the_demo_has_a_recipient_that_signs() -> None:
    client = read_registry(DEMO_REGISTRY, allow_demo=True).clients["dc-fapi"]
    assert (client.profile, client.secret_hash, client.default_provider) == (Profile.FAPI2, None, "1000")
    assert client.is_fapi
    assert client.must_use_pkce
    assert [key.thumbprint for key in client.keys] == [demo_key().thumbprint()]


def test_a_recipient_without_the_profile_may_have_keys_too(tmp_path: Path) -> None:
    path = edited(tmp_path, (PROFILE, ""), ('default_provider = "1000"\n', ""))
    client = read_registry(path, allow_demo=True).clients["dc-fapi"]
    assert not client.is_fapi
    assert not client.must_use_pkce
    assert len(client.keys) == 1


def test_keys_of_every_kind_are_taken(tmp_path: Path) -> None:
    more = "".join(
        "{ " + ", ".join(f'{name} = "{value}"' for name, value in public(key).items()) + " },\n"
        for key in (
            a_key(kid="2"),
            a_key("RSA", kid="3", alg="PS256", use="sig"),
            a_key("OKP", kid="4", alg="EdDSA"),
        )
    )
    client = read_registry(edited(tmp_path, (KEYS, KEYS + more)), allow_demo=True).clients["dc-fapi"]
    assert [key.kid for key in client.keys] == ["2", "3", "4", "demo-1"]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            PROFILE,
            PROFILE + f'secret_sha256 = "{"0" * 64}"\n',
            ".jwks: must have one of secret_sha256, jwks and jwks_uri",
        ),
        (PROFILE, 'profile = "fapi1"\n', ".profile: must be one of"),
        (PROFILE, "", '.default_provider: belongs to profile = "fapi2"'),
        (
            'default_provider = "1000"',
            'default_provider = "9000"',
            ".default_provider: is a provider with which",
        ),
        (PROFILE, PROFILE + 'jwks_uri = ""\n', ".jwks_uri: "),
        (DEMO_X, f'd = "{"A" * 43}", {DEMO_X}', "is a private key"),
        ('crv = "P-256"', 'crv = "P-384"', "is an EC key of another curve"),
        ('use = "sig"', 'use = "enc"', "has a use other than sig"),
        ('alg = "ES256"', 'alg = "RS256"', "has an alg other than"),
        ('alg = "ES256"', 'alg = "PS256"', "has an alg other than"),
        ('kid = "demo-1"', "kid = 7", "has a kid that is no text"),
        (KEYS, KEYS + '"text", ', "must be a table with the members of a JWK"),
        (KEYS, "[recipients.jwks]\nkeys = []\nother = [", ".jwks.keys: must have at least 1 entry"),
        (
            KEYS,
            KEYS + f'{{ kty = "EC", crv = "P-256", kid = "demo-1", {DEMO_X}, y = "{DEMO_KEY["y"]}" }},',
            ".jwks.keys: has two keys with the same kid",
        ),
    ],
)
def test_each_fault_has_its_place_and_reason(tmp_path: Path, old: str, new: str, fault: str) -> None:
    found = faults_after(tmp_path, (old, new))
    assert any(fault in line and line.startswith("recipients[dc-fapi]") for line in found), found


def test_keys_may_be_published_at_an_https_address(tmp_path: Path) -> None:
    text = DEMO_REGISTRY.read_text(encoding="utf-8")
    table = text[
        text.index("[recipients.jwks]") : text.index("[recipients.purpose]", text.index("[recipients.jwks]"))
    ]
    address = 'jwks_uri = "https://aurora.example/jwks.json"\n'
    path = edited(tmp_path, (table, ""), (PROFILE, PROFILE + address))
    client = read_registry(path, allow_demo=True).clients["dc-fapi"]
    assert (client.jwks_uri, client.keys) == ("https://aurora.example/jwks.json", ())
    (fault,) = faults_after(tmp_path, (table, ""), (PROFILE, PROFILE + address.replace("https", "http")))
    assert fault == "recipients[dc-fapi].jwks_uri: must be an https address"
    nowhere = 'jwks_uri = "https://aurora..example/jwks.json"\n'
    (fault,) = faults_after(tmp_path, (table, ""), (PROFILE, PROFILE + nowhere))
    assert fault == "recipients[dc-fapi].jwks_uri: has a host that is neither a name nor an IP address"
    here = edited(tmp_path, (table, ""), (PROFILE, PROFILE + 'jwks_uri = "https://localhost/jwks.json"\n'))
    read_registry(here, allow_demo=True)
    with pytest.raises(RegistryError) as raised:
        read_registry(here, allow_demo=False)
    assert any(
        "[dc-fapi].jwks_uri: localhost does not work in production" in line for line in raised.value.faults
    )


def test_a_recipient_of_the_profile_has_no_secret(tmp_path: Path) -> None:
    secret = 'secret_sha256 = "8478dab97e7b5922fa862c43853ee013ba310452ae748d01c4446276ad9d526d"'
    assert faults_after(tmp_path, (secret, PROFILE + secret)) == [
        "recipients[dc-budget].secret_sha256: is no way to authenticate with this profile, which needs keys"
    ]
    (fault,) = faults_after(tmp_path, (secret, ""))
    assert fault == "recipients[dc-budget].client_id: must have one of secret_sha256, jwks and jwks_uri"


def test_a_previous_secret_needs_one_that_follows_it(tmp_path: Path) -> None:
    previous = f'previous_secret = {{ sha256 = "{"1" * 64}", until = 2027-01-01T00:00:00Z }}\n'
    (fault,) = faults_after(tmp_path, (PROFILE, PROFILE + previous))
    assert fault == "recipients[dc-fapi].previous_secret: belongs to secret_sha256"


def test_production_refuses_the_demos_key_whoever_has_it(tmp_path: Path) -> None:
    start = 'client_id = "dc-fapi"'
    text = DEMO_REGISTRY.read_text(encoding="utf-8")
    assert "demo = true" in text.partition(start)[2]
    whole = edited(tmp_path, ('default_provider = "1000"\ndemo = true\n', 'default_provider = "1000"\n'))
    with pytest.raises(RegistryError) as raised:
        read_registry(whole, allow_demo=False)
    faults = [line.partition("recipients")[2] for line in raised.value.faults if "dc-fapi" in line]
    assert "[dc-fapi].jwks: a demo key does not work in production" in faults
    assert not [fault for fault in faults if ".demo" in fault]


def test_at_most_ten_keys(tmp_path: Path) -> None:
    many = "".join(
        f'{{ kty = "EC", crv = "P-256", kid = "k{n}", x = "{DEMO_KEY["x"]}", y = "{DEMO_KEY["y"]}" }},'
        for n in range(10)
    )
    (fault,) = faults_after(tmp_path, (KEYS, KEYS + many))
    assert fault.endswith("recipients[dc-fapi].jwks.keys: must have at most 10 entries")
