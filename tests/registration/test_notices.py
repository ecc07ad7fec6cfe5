"""Where recipients and banks are told what becomes of consents, and of which events, in the registration file."""

import re
from pathlib import Path

import pytest

from app.domain.notice_registration import (
    ASKED_BY_DEFAULT,
    FOR_BANKS,
    NoticesRegistration,
    NoticeType,
    receiver_of_bank,
)
from app.registration.file import RegistryError, read_registry
from tests.support.registrations import DEMO_REGISTRY, with_bank_told, with_notices

HOOK = "https://budget.example/notices"


def registration(tmp_path: Path, notices: str) -> Path:
    path = tmp_path / "registry.toml"
    path.write_text(with_notices(notices), encoding="utf-8")
    return path


def fault_of(tmp_path: Path, notices: str, *, allow_demo: bool = True) -> str:
    with pytest.raises(RegistryError) as raised:
        read_registry(registration(tmp_path, notices), allow_demo=allow_demo)
    (fault,) = [fault for fault in raised.value.faults if "[dc-budget].notices" in fault]
    return re.sub(r"^\S+:\d+: recipients\[dc-budget\]\.", "", fault)


@pytest.mark.parametrize(
    ("notices", "registered"),
    [
        ("{}", NoticesRegistration(None, ASKED_BY_DEFAULT)),
        (f'{{ address = "{HOOK}" }}', NoticesRegistration(HOOK, ASKED_BY_DEFAULT)),
        (
            f'{{ address = "{HOOK}", events = ["CONSENT_REVOKED", "CONSENT_EXPIRED"] }}',
            NoticesRegistration(HOOK, frozenset({NoticeType.CONSENT_REVOKED, NoticeType.CONSENT_EXPIRED})),
        ),
        (
            '{ events = ["CONSENT_REVOKED", "RENEWAL_DUE"] }',
            NoticesRegistration(None, frozenset({NoticeType.CONSENT_REVOKED, NoticeType.RENEWAL_DUE})),
        ),
        (
            '{ address = "https://budget.example:8443/a?b=c" }',
            NoticesRegistration("https://budget.example:8443/a?b=c", ASKED_BY_DEFAULT),
        ),
        (
            '{ address = "http://localhost:8001/notices" }',
            NoticesRegistration("http://localhost:8001/notices", ASKED_BY_DEFAULT),
        ),
    ],
)
def test_a_recipient_says_where_and_of_what_it_is_told(
    tmp_path: Path, notices: str, registered: NoticesRegistration
) -> None:
    registry = read_registry(registration(tmp_path, notices), allow_demo=True)
    client = registry.clients["dc-budget"]
    assert (client.notices, client.notice_address) == (registered, registered.address)
    assert registry.events_asked("dc-budget") == registered.events


def test_who_says_nothing_is_told_what_all_are_told() -> None:
    registry = read_registry(DEMO_REGISTRY, allow_demo=True)
    silent = next(client for client in registry.clients.values() if client.notices is None)
    assert silent.notice_address is None
    assert registry.events_asked(silent.client_id) == ASKED_BY_DEFAULT
    assert registry.events_asked("gone") == ASKED_BY_DEFAULT == {"CONSENT_REVOKED", "CONSENT_UPDATED"}


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("https://203.0.113.9/notices", "must name a host, and not an IP address"),
        ("https://[2001:db8::1]/notices", "must name a host, and not an IP address"),
        ("https://2130706433/notices", "must name a host, and not an IP address"),
        ("https://127.1/notices", "must name a host, and not an IP address"),
        ("https://0x7f.0.0.0x1/notices", "must name a host, and not an IP address"),
        ("https://10.0.0.1./notices", "must name a host, and not an IP address"),
        ("http://budget.example/notices", "must be an https URL, or http on loopback"),
        ("ftp://budget.example/notices", "must be an https URL, or http on loopback"),
        ("https://me:secret@budget.example/", "has user information"),
        ("https://budget.example/#a", "has a fragment, or a character that does not belong in a URL"),
        ("https:///notices", "must be an https URL, or http on loopback"),
        ("https://budget.example:0/", "has port 0, at which nothing can listen"),
        ("https://budget..example/", "has a host that is neither a name nor an IP address"),
        (f"https://{'a' * 70}.example/", "has a host that is neither a name nor an IP address"),
        ("https://[v1.a]/", "has a host that is neither a name nor an IP address"),
    ],
)
def test_an_address_names_a_host_that_is_reached_by_https(tmp_path: Path, address: str, reason: str) -> None:
    assert fault_of(tmp_path, f'{{ address = "{address}" }}') == f"notices.address: {reason}"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_http_is_for_development(tmp_path: Path, host: str) -> None:
    notices = f'{{ address = "http://{host}:8001/notices" }}'
    assert fault_of(tmp_path, notices, allow_demo=False) == (
        "notices.address: http does not work in production"
    )


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8443", "a.localhost", "localhost."])
def test_localhost_is_for_development(tmp_path: Path, host: str) -> None:
    """Accord would ask the machine that it is on, which no network of recipients is."""
    notices = f'{{ address = "https://{host}/notices" }}'
    assert fault_of(tmp_path, notices, allow_demo=False) == (
        "notices.address: localhost does not work in production"
    )
    read_registry(registration(tmp_path, notices), allow_demo=True)


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ('["CONSENT_REVOKED", "CONSENT_FOUND"]', "notices.events[1]: must be one of"),
        (
            '["CONSENT_REVOKED", "CONSENT_GRANTED"]',
            "notices.events: CONSENT_GRANTED is told to banks alone",
        ),
        ('["CONSENT_UPDATED"]', "notices.events: must contain CONSENT_REVOKED"),
        ("[]", "notices.events: must contain CONSENT_REVOKED"),
        ('["CONSENT_REVOKED", "CONSENT_REVOKED"]', "notices.events: names something twice"),
    ],
)
def test_the_events_are_known_and_an_end_is_one_of_them(tmp_path: Path, events: str, reason: str) -> None:
    assert fault_of(tmp_path, f"{{ events = {events} }}").startswith(reason)


def test_what_nobody_knows_is_a_fault(tmp_path: Path) -> None:
    assert fault_of(tmp_path, '{ url = "https://budget.example" }').startswith("notices.url:")


# A bank, which is told only where it says so


def bank_registration(tmp_path: Path, notices: str, text: str | None = None) -> Path:
    path = tmp_path / "registry.toml"
    path.write_text(with_bank_told(notices, text=text), encoding="utf-8")
    return path


def faults_of_bank(
    tmp_path: Path, notices: str, *, text: str | None = None, allow_demo: bool = True
) -> list[str]:
    with pytest.raises(RegistryError) as raised:
        read_registry(bank_registration(tmp_path, notices, text), allow_demo=allow_demo)
    faults = [fault for fault in raised.value.faults if "[1000].notices" in fault]
    return [re.sub(r"^\S+:\d+: providers\[1000\]\.", "", fault) for fault in faults]


@pytest.mark.parametrize(
    ("notices", "registered"),
    [
        ("{}", NoticesRegistration(None, FOR_BANKS)),
        (f'{{ address = "{HOOK}" }}', NoticesRegistration(HOOK, FOR_BANKS)),
        (
            f'{{ address = "{HOOK}", events = ["CONSENT_REVOKED", "CONSENT_GRANTED"] }}',
            NoticesRegistration(HOOK, frozenset({NoticeType.CONSENT_REVOKED, NoticeType.CONSENT_GRANTED})),
        ),
    ],
)
def test_a_bank_says_where_and_of_what_it_is_told(
    tmp_path: Path, notices: str, registered: NoticesRegistration
) -> None:
    registry = read_registry(bank_registration(tmp_path, notices), allow_demo=True)
    bank, receiver = registry.providers["1000"], receiver_of_bank("1000")
    assert (bank.notices, bank.notice_address) == (registered, registered.address)
    assert registry.events_asked(receiver) == registered.events
    assert registry.notice_address_of(receiver) == registered.address
    assert (receiver in registry.receivers_with_address()) is (registered.address is not None)
    assert registry.find_bank_with_notices(registry.resource_servers["maple-api"]) == bank


def test_a_bank_that_says_nothing_is_told_nothing() -> None:
    registry = read_registry(DEMO_REGISTRY, allow_demo=True)
    for provider_id in (*registry.providers, "gone"):
        receiver = receiver_of_bank(provider_id)
        assert registry.events_asked(receiver) == frozenset()
        assert registry.notice_address_of(receiver) is None
    assert {registry.find_bank_with_notices(server) for server in registry.resource_servers.values()} == {
        None
    }


@pytest.mark.parametrize(
    ("notices", "reason"),
    [
        (
            '{ address = "https://10.0.0.1/notices" }',
            "notices.address: must name a host, and not an IP address",
        ),
        (
            '{ address = "http://bank.example/notices" }',
            "notices.address: must be an https URL, or http on loopback",
        ),
        ('{ events = ["CONSENT_GRANTED"] }', "notices.events: must contain CONSENT_REVOKED"),
        ('{ events = ["CONSENT_REVOKED", "CONSENT_REVOKED"] }', "notices.events: names something twice"),
        (
            '{ events = ["CONSENT_REVOKED", "RENEWAL_DUE"] }',
            "notices.events: RENEWAL_DUE is told to recipients alone",
        ),
    ],
)
def test_the_rules_for_a_bank_are_those_for_recipients(tmp_path: Path, notices: str, reason: str) -> None:
    assert faults_of_bank(tmp_path, notices) == [reason]


def test_a_banks_address_is_https_in_production(tmp_path: Path) -> None:
    notices = '{ address = "http://localhost:8001/notices" }'
    assert faults_of_bank(tmp_path, notices, allow_demo=False) == [
        "notices.address: http does not work in production"
    ]


def test_whose_api_asks_is_never_a_question(tmp_path: Path) -> None:
    """A bank asks with the credentials of its API, which is known by the audience."""
    text = DEMO_REGISTRY.read_text(encoding="utf-8")
    of_two = text.replace("localhost:8003/northern", "localhost:8003/maple")
    assert faults_of_bank(tmp_path, "{}", text=of_two) == [
        "notices: belongs to a bank whose audience no other bank has"
    ]
    before, start, servers = text.partition("[[resource_servers]]")
    without_api = before + start + servers.replace("localhost:8003/maple", "localhost:8003/northern")
    assert faults_of_bank(tmp_path, "{}", text=without_api) == [
        "notices: needs an address, or a resource server that asks"
    ]
    path = bank_registration(tmp_path, f'{{ address = "{HOOK}" }}', without_api)
    assert read_registry(path, allow_demo=True).providers["1000"].notice_address == HOOK


@pytest.mark.parametrize("table", ["recipients", "providers"])
def test_no_recipient_can_have_the_name_that_a_bank_has_as_a_receiver(tmp_path: Path, table: str) -> None:
    """Notices of both are kept by these names, and a process of an older version knows client_ids alone."""
    text = DEMO_REGISTRY.read_text(encoding="utf-8")
    key, name = {"recipients": ("client_id", "dc-budget"), "providers": ("provider_id", "1000")}[table]
    path = tmp_path / "registry.toml"
    path.write_text(text.replace(f'{key} = "{name}"', f'{key} = "{receiver_of_bank("1000")}"'), "utf-8")
    with pytest.raises(RegistryError) as raised:
        read_registry(path, allow_demo=True)
    assert any(f"{key}: " in fault for fault in raised.value.faults)
