"""Resource servers in the registration file: who they may be, and that every fault has its place and reason."""

import re
from pathlib import Path

import pytest

from app.domain.language import Bilingual
from app.registration.file import RegistryError, read_registry
from tests.support.registrations import DEMO_REGISTRY

MAPLE = """
[[resource_servers]]
server_id = "maple-api"
"""


def faults_after(tmp_path: Path, old: str, new: str, *, allow_demo: bool = True) -> list[str]:
    text = DEMO_REGISTRY.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "registry.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(RegistryError) as raised:
        read_registry(path, allow_demo=allow_demo)
    return [re.sub(r"^\S+:\d+: ", "", fault) for fault in raised.value.faults]


def test_every_bank_of_the_demo_has_its_resource_server() -> None:
    demo = read_registry(DEMO_REGISTRY, allow_demo=True)
    audiences = {server.audience for server in demo.resource_servers.values()}
    assert audiences == {provider.audience for provider in demo.providers.values()}
    assert not demo.resource_servers.keys() & demo.clients.keys()


def test_a_bank_may_have_a_legal_name(tmp_path: Path) -> None:
    demo = read_registry(DEMO_REGISTRY, allow_demo=True)
    assert demo.providers["1000"].legal_name == Bilingual(
        "Maple Credit Union Limited", "Caisse Érable limitée"
    )
    path = tmp_path / "registry.toml"
    text = DEMO_REGISTRY.read_text(encoding="utf-8")
    path.write_text(re.sub(r"(?m)^(name = .*Maple.*\n)legal_name.*\n", r"\1", text), encoding="utf-8")
    assert read_registry(path, allow_demo=True).providers["1000"].legal_name is None


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            '"maple-api"',
            '"dc-budget"',
            "resource_servers[dc-budget].server_id: is the client_id of a recipient",
        ),
        ('"maple-api"', '"northern-api"', "resource_servers[northern-api].server_id: is registered twice"),
        ('"maple-api"', '"a b"', "resource_servers[a b].server_id: must be of the form"),
        (
            MAPLE,
            MAPLE + 'secret = "x"\n',
            "resource_servers[maple-api].secret: is not known here",
        ),
        (MAPLE, "\n[[resource_servers]]\n", "resource_servers[0].server_id: is missing"),
    ],
)
def test_a_fault_is_told_with_its_place_and_the_reason(
    tmp_path: Path, old: str, new: str, fault: str
) -> None:
    assert any(found.startswith(fault) for found in faults_after(tmp_path, old, new))


def test_an_audience_must_be_a_registered_banks(tmp_path: Path) -> None:
    text = DEMO_REGISTRY.read_text(encoding="utf-8")
    servers = text[text.index("[[resource_servers]]") :]
    faults = faults_after(tmp_path, servers, servers.replace("8003/maple", "8003/mapel"))
    assert faults == ["resource_servers[maple-api].audience: is the audience of no registered provider"]


def test_an_audience_with_http_is_for_loopback_and_for_development(tmp_path: Path) -> None:
    on_loopback, elsewhere = "http://localhost:8003/maple", "http://api.maple.example"
    assert read_registry(DEMO_REGISTRY, allow_demo=True).providers["1000"].audience == on_loopback
    faults = faults_after(tmp_path, on_loopback, elsewhere)
    assert "providers[1000].audience: must be an https URL, or http on loopback" in faults
    faults = faults_after(tmp_path, '"maple-api"', '"maple-api"', allow_demo=False)
    assert "providers[1000].audience: http does not work in production" in faults


def test_faults_of_every_table_are_told_at_once(tmp_path: Path) -> None:
    faults = faults_after(tmp_path, '"maple-api"', '"dc-loans"', allow_demo=False)
    places = {fault.partition(": ")[0] for fault in faults}
    assert {
        "resource_servers[dc-loans].server_id",
        "resource_servers[dc-loans].demo",
        "resource_servers[northern-api].demo",
        "recipients[dc-budget].demo",
    } <= places
