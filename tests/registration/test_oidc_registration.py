"""How a bank's own sign-in is registered, and every fault that this may have."""

import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.domain.registry import DataProvider, OidcRegistration
from app.registration.file import RegistryError, read_registry
from tests.support.registrations import DEMO_REGISTRY

DEMO = 'oidc = { issuer = "http://localhost:8002", client_id = "accord", demo_client_secret = "harbour-demo-secret" }'
SECRET = "a secret of the tests"
PLACE = "providers[3000].oidc"

Register = Callable[..., Path]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BANK_SECRET", SECRET)
    monkeypatch.setenv("EMPTY", "")


@pytest.fixture
def register(tmp_path: Path) -> Register:
    """Writes the demo's file with another sign-in of the third bank, which lists no accounts.

    Its API is not on this machine.
    """

    def write(oidc: str, *, sign_in: str = "oidc") -> Path:
        text = DEMO_REGISTRY.read_text(encoding="utf-8")
        assert text.count(DEMO) == 1
        text = text.replace(DEMO, oidc).replace('sign_in = "oidc"', f'sign_in = "{sign_in}"')
        text = text.replace("http://localhost:8003/harbour", "https://api.harbour.example")
        text = re.sub(r'(?m)^accounts = \{ from = "fdx".*\n', "", text)
        path = tmp_path / "registry.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def harbour_in(path: Path) -> DataProvider:
    return read_registry(path, allow_demo=True).providers["3000"]


def faults_of(path: Path, *, allow_demo: bool = True) -> list[str]:
    """Each fault with its place and reason; every one of them at the line where the sign-in is."""
    with pytest.raises(RegistryError) as raised:
        read_registry(path, allow_demo=allow_demo)
    faults = [fault.removeprefix(f"{path}:") for fault in raised.value.faults]
    lines = path.read_text(encoding="utf-8").splitlines()
    of_harbour = [fault for fault in faults if "providers[3000]" in fault]
    for fault in of_harbour:
        line = lines[int(fault.partition(":")[0]) - 1]
        assert line.startswith(("oidc =", "sign_in =", "customers =", "[[providers]]")), line
    return [fault.partition(": ")[2] for fault in of_harbour]


def oidc(**values: str) -> str:
    """The table with some values changed; an empty one is left out."""
    good = {
        "issuer": '"https://bank.example"',
        "client_id": '"accord"',
        "client_secret_env": '"BANK_SECRET"',
    }
    said = {name: value for name, value in {**good, **values}.items() if value}
    return "oidc = { " + ", ".join(f"{name} = {value}" for name, value in said.items()) + " }"


def test_a_secret_comes_from_the_environment(register: Register) -> None:
    assert harbour_in(register(oidc())).oidc == OidcRegistration(
        issuer="https://bank.example",
        client_id="accord",
        client_secret=SECRET,
        scopes=("openid", "profile"),
    )


def test_or_from_a_file(register: Register, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("s3cret with é\n", encoding="utf-8")
    found = harbour_in(
        register(oidc(client_secret_env="", client_secret_file=f'"{file}"', scopes='["openid"]'))
    )
    assert found.oidc is not None
    assert found.oidc.client_secret == "s3cret with é"
    assert found.oidc.scopes == ("openid",)


def test_a_secret_is_read_once_so_that_it_cannot_be_gone_the_second_time(
    register: Register, tmp_path: Path
) -> None:
    pipe = tmp_path / "secret"
    os.mkfifo(pipe)

    def say() -> None:
        pipe.write_text("to the first reader")
        time.sleep(0.2)  # by when the first has seen the end
        pipe.write_text("to the second")

    saying = threading.Thread(target=say)
    saying.start()
    found = harbour_in(register(oidc(client_secret_env="", client_secret_file=f'"{pipe}"')))
    assert found.oidc is not None
    assert found.oidc.client_secret == "to the first reader"
    assert pipe.read_text() == "to the second"
    saying.join()


@pytest.mark.parametrize(
    "issuer",
    [
        "https://bank.example/",
        "https://bank.example:8443/oidc/tenant",
        "http://127.0.0.1:1",
        "http://[::1]:1",
    ],
)
def test_issuers_that_can_be(register: Register, issuer: str) -> None:
    found = harbour_in(register(oidc(issuer=f'"{issuer}"'))).oidc
    assert found is not None
    assert found.issuer == issuer


def test_former_issuers_are_those_whose_subjects_are_the_same_peoples(register: Register) -> None:
    found = harbour_in(register(oidc(former_issuers='["https://old.example", "https://older.example"]'))).oidc
    assert found is not None
    assert found.former_issuers == {"https://old.example", "https://older.example"}


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        (oidc(former_issuers='["http://bank.example"]'), f"{PLACE}.former_issuers[0]: must be an https URL, or http on loopback"),
        (oidc(former_issuers='["https://a.example", "https://a.example"]'), f"{PLACE}.former_issuers: names something twice"),
        (oidc(issuer=""), f"{PLACE}.issuer: is missing"),
        (oidc(issuer='"http://bank.example"'), f"{PLACE}.issuer: must be an https URL, or http on loopback"),
        (oidc(issuer='"ftp://bank.example"'), f"{PLACE}.issuer: must be an https URL, or http on loopback"),
        (oidc(issuer='"https://a@bank.example"'), f"{PLACE}.issuer: has user information"),
        (oidc(issuer='"https://bank.example?a=b"'), f"{PLACE}.issuer: must be a URL without query and fragment"),
        (oidc(issuer='"https://bank.example#a"'), f"{PLACE}.issuer: must be a URL without query and fragment"),
        (oidc(issuer='"https://bank.example:x"'), f"{PLACE}.issuer: is not a URL"),
        (oidc(client_id=""), f"{PLACE}.client_id: is missing"),
        (oidc(client_id='""'), f"{PLACE}.client_id: must have at least 1 character"),
        (oidc(scopes="[]"), f"{PLACE}.scopes: must contain openid"),
        (oidc(scopes='["profile"]'), f"{PLACE}.scopes: must contain openid"),
        (oidc(scopes='["openid", "openid"]'), f"{PLACE}.scopes: names something twice"),
        (oidc(client_secret_env='"ACCORD_BANK"'), f"{PLACE}.client_secret_env: begins with ACCORD_, as only Accord's own settings do"),
        (oidc(client_secret_env=""), f"{PLACE}: must have either client_secret_env or client_secret_file"),
        (oidc(client_secret_file='"/etc/hostname"'), f"{PLACE}: must have either client_secret_env or client_secret_file"),
        (oidc(client_secret_env="", client_secret_file='"secret"'), f"{PLACE}.client_secret_file: must be an absolute path"),
        (oidc(client_secret='"in the open"'), f"{PLACE}.client_secret: is not known here"),
        ("", f'{PLACE}: is missing, which sign_in = "oidc" needs'),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_place_and_reason(register: Register, table: str, fault: str) -> None:
    assert faults_of(register(table)) == [fault]


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        (oidc(client_secret_env='"NOWHERE"'), "client_secret_env: names an environment variable that is not set, or is empty"),
        (oidc(client_secret_env='"EMPTY"'), "client_secret_env: names an environment variable that is not set, or is empty"),
        (oidc(client_secret_env="", client_secret_file='"/nowhere"'), "client_secret_file: cannot be read: No such file or directory"),
        (oidc(client_secret_env="", client_secret_file='"/etc"'), "client_secret_file: cannot be read: Is a directory"),
        (oidc(client_secret_env="", client_secret_file='"/dev/null"'), "client_secret_file: is empty"),
    ],
)  # fmt: skip
def test_a_secret_that_cannot_be_read_takes_that_one_bank_out(
    register: Register, table: str, fault: str
) -> None:
    registry = read_registry(register(table), allow_demo=True)
    assert [name for name, provider in registry.providers.items() if provider.is_left_out] == ["3000"]
    assert list(registry.left_out) == ["3000"]
    assert registry.left_out["3000"].endswith(f": {PLACE}.{fault}")


def test_the_demos_secret_in_a_file_takes_its_bank_out_in_production(
    register: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BANK_SECRET", "harbour-demo-secret")
    assert read_registry(register(oidc()), allow_demo=True).left_out == {}
    path = tmp_path / "production.toml"
    text = register(oidc()).read_text()
    harbour = text[text.index('[[providers]]\nprovider_id = "3000"') : text.index("[[recipients]]")]
    recipient = text[
        text.index("[[recipients]]") : text.index("[[recipients]]", text.index("[[recipients]]") + 1)
    ]
    recipient = re.sub('secret_sha256 = "[0-9a-f]+"', f'secret_sha256 = "{"0" * 64}"', recipient)
    recipient = re.sub(r"demo = true|notices = .*", "", recipient)
    recipient = re.sub(r'"[12]000" = "[A-Z_]+"', "", recipient)
    path.write_text(harbour + recipient)
    assert (
        "a demo secret does not work in production" in read_registry(path, allow_demo=False).left_out["3000"]
    )


def test_all_faults_are_told_at_once(register: Register) -> None:
    table = oidc(issuer='"http://bank.example"', scopes="[]", client_id='""', client_secret_env="")
    assert len(faults_of(register(table))) == 4


def test_each_way_to_sign_in_has_its_own_part_and_only_that(register: Register) -> None:
    assert faults_of(register(oidc(), sign_in="sandbox")) == [f'{PLACE}: belongs to sign_in = "oidc"']
    assert faults_of(register(f"{oidc()}\ncustomers = []")) == [
        'providers[3000].customers: belongs to sign_in = "sandbox"'
    ]


def test_http_is_for_development(register: Register) -> None:
    assert faults_of(register(DEMO), allow_demo=False) == [
        f"{PLACE}.issuer: http does not work in production",
        f"{PLACE}.demo_client_secret: a demo secret does not work in production",
    ]
    assert faults_of(register(oidc()), allow_demo=False) == []
    in_capitals = oidc(issuer='"HTTP://localhost:8002"')
    assert faults_of(register(in_capitals), allow_demo=False) == [
        f"{PLACE}.issuer: http does not work in production"
    ]


def test_no_secret_is_in_a_fault_or_a_printed_registration(register: Register) -> None:
    assert SECRET not in repr(harbour_in(register(oidc())))
    with pytest.raises(RegistryError) as raised:
        read_registry(register(oidc(scopes="[]")), allow_demo=True)
    assert SECRET not in str(raised.value)
