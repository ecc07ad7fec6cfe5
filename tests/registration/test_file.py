"""The registration file: the demo is the one agreed on, and every fault has its line, place and reason."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.domain.clusters import DataCluster
from app.domain.language import Bilingual
from app.domain.registry import Client, PreviousSecret, Registry, SandboxTrouble, Status
from app.domain.tokens import ClientCredentials, SecretUsed, authenticate_client, hash_secret
from app.registration.client_secrets import make_client_secret
from app.registration.demo_secrets import DEMO_HASHES
from app.registration.file import RegistryError, read_registry
from tests.support.builders import EVERYTHING, NOON
from tests.support.registrations import DEMO_REGISTRY

GOOD = """\
[[providers]]
provider_id = "1000"
name = { en = "Maple Credit Union", fr = "Caisse Érable" }
country = "CA"
colour = "#8c1d2f"
clusters = ["ACCOUNT_BASIC", "TRANSACTIONS"]
audience = "https://api.maple.example"
complaints = { en = "https://maple.example/complaints", fr = "https://maple.example/fr/plaintes" }
sign_in = "sandbox"
customers = [
    { user_name = "alex", password = "maple-syrup", subject = "maple-0001", display_name = "Alex" },
]

[[recipients]]
client_id = "dc-budget"
secret_sha256 = "8478dab97e7b5922fa862c43853ee013ba310452ae748d01c4446276ad9d526d"
name = { en = "Budget Compass", fr = "Boussole Budget" }
legal_name = { en = "Budget Compass Technologies Inc.", fr = "Technologies Boussole Budget inc." }
site = { en = "https://budget.example", fr = "https://budget.example/fr" }
privacy_policy = { en = "https://budget.example/privacy", fr = "https://budget.example/fr/vie-privee" }
terms = { en = "https://budget.example/terms", fr = "https://budget.example/fr/conditions" }
redirect_uris = ["https://budget.example/callback"]
clusters = ["ACCOUNT_BASIC", "TRANSACTIONS"]
needs = ["ACCOUNT_BASIC"]
consent_days = 365

[recipients.purpose]
en = "To help you plan your spending."
fr = "Pour vous aider à planifier vos dépenses."

[recipients.providers]
"1000" = "ACTIVE"
"""

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a registration file."""

    def write_file(text: str) -> Path:
        path = tmp_path / "registry.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


def faults_of(path: Path, *, allow_demo: bool = True) -> list[str]:
    """The faults in the file, without its path in front of each."""
    with pytest.raises(RegistryError) as raised:
        read_registry(path, allow_demo=allow_demo)
    assert str(raised.value) == "\n".join(raised.value.faults)
    assert all(fault.startswith(f"{path}:") for fault in raised.value.faults)
    return [fault.removeprefix(f"{path}:").strip() for fault in raised.value.faults]


def edited(old: str, new: str) -> str:
    """The good file with one place changed."""
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


def read(path: Path) -> Registry:
    return read_registry(path, allow_demo=True)


# The demo


@pytest.fixture(scope="module")
def demo() -> Registry:
    return read(DEMO_REGISTRY)


def test_the_demo_has_three_banks_and_four_recipients(demo: Registry) -> None:
    assert set(demo.providers) == {"1000", "2000", "3000"}
    assert set(demo.clients) == {"dc-budget", "dc-fapi", "dc-loans", "dc-own-app"}


def test_the_demos_banks_are_maple_and_northern(demo: Registry) -> None:
    maple, northern = demo.providers["1000"], demo.providers["2000"]
    assert maple.name == Bilingual(en="Maple Credit Union", fr="Caisse Érable")
    assert northern.name == Bilingual(en="Northern Bank", fr="Banque du Nord")
    assert maple.clusters == EVERYTHING
    assert northern.clusters == EVERYTHING - {DataCluster.INVESTMENTS}
    assert (maple.oidc, northern.oidc) == (None, None)
    assert maple.colour != northern.colour
    assert maple.logo != northern.logo
    for provider in (maple, northern):
        known = {customer.user_name: customer for customer in provider.sandbox_customers}
        troubles = [customer.trouble for customer in known.values() if customer.trouble is not None]
        assert sorted(troubles) == sorted(SandboxTrouble), "each once"
        assert len(known) - len(troubles) == 10
        assert known["alex"].trouble is known["sam"].trouble is None
        assert {customer.password for customer in known.values()} == {"maple-syrup"}
        assert all(customer.display_name for customer in known.values())
        assert known["alex"].subject != known["sam"].subject


def test_customers_of_the_demos_third_bank_sign_in_at_its_own_server(demo: Registry) -> None:
    harbour = demo.providers["3000"]
    assert harbour.name == Bilingual(en="Harbour Trust", fr="Fiducie du Port")
    assert harbour.clusters == EVERYTHING
    assert harbour.colour not in {demo.providers[other].colour for other in ("1000", "2000")}
    assert harbour.sandbox_customers == ()
    assert harbour.oidc is not None
    assert harbour.oidc.issuer == "http://localhost:8002"
    assert "openid" in harbour.oidc.scopes
    assert harbour.oidc.client_secret not in repr(harbour)


def test_the_demos_first_recipient_is_budget_compass(demo: Registry) -> None:
    budget = demo.clients["dc-budget"]
    assert budget.name == Bilingual(en="Budget Compass", fr="Boussole Budget")
    assert budget.secret_hash == hash_secret("budget-demo-secret")
    assert budget.redirect_uris == {"http://localhost:8001/callback"}
    assert budget.clusters == EVERYTHING
    assert budget.needed_clusters == {DataCluster.ACCOUNT_BASIC}
    assert budget.consent_duration == timedelta(days=365)
    assert budget.statuses == dict.fromkeys(("1000", "2000", "3000"), Status.ACTIVE)
    assert not budget.pkce_required


def test_the_demos_second_recipient_is_prairie_loans(demo: Registry) -> None:
    loans = demo.clients["dc-loans"]
    assert loans.name == Bilingual(en="Prairie Loans", fr="Prêts des Prairies")
    assert loans.secret_hash == hash_secret("loans-demo-secret")
    assert loans.redirect_uris == {"https://loans.example/callback?tenant=a", "com.loans.app:/callback"}
    assert loans.clusters == {
        DataCluster.ACCOUNT_BASIC,
        DataCluster.ACCOUNT_DETAILED,
        DataCluster.TRANSACTIONS,
        DataCluster.CUSTOMER_PERSONAL,
    }
    assert loans.needed_clusters == {DataCluster.ACCOUNT_BASIC, DataCluster.TRANSACTIONS}
    assert loans.consent_duration == timedelta(days=90)
    assert loans.statuses == {"1000": Status.ACTIVE, "2000": Status.PENDING_ACTIVATION}
    assert loans.pkce_required


@pytest.mark.parametrize(
    ("client_id", "needed"),
    [
        ("dc-budget", {DataCluster.ACCOUNT_BASIC}),
        ("dc-loans", {DataCluster.ACCOUNT_BASIC, DataCluster.TRANSACTIONS}),
    ],
)
def test_the_demos_recipients_say_what_each_of_the_three_types_that_they_ask_for_is_for(
    demo: Registry, client_id: str, needed: set[DataCluster]
) -> None:
    client = demo.clients[client_id]
    three = {DataCluster.ACCOUNT_BASIC, DataCluster.ACCOUNT_DETAILED, DataCluster.TRANSACTIONS}
    assert client.needed_clusters == needed
    assert client.cluster_purposes.keys() >= three
    assert len({text.en for text in client.cluster_purposes.values()}) == len(client.cluster_purposes)


def test_the_demos_third_recipient_is_an_app_of_ones_own_on_any_port(demo: Registry) -> None:
    app = demo.clients["dc-own-app"]
    assert app.secret_hash == hash_secret("own-app-demo-secret")
    for address in (
        "http://127.0.0.1/callback",
        "http://127.0.0.1:3000/callback",
        "http://[::1]:49152/callback",
    ):
        assert app.accepts_redirect_uri(address)
    for address in ("http://127.0.0.1:3000/", "http://localhost:3000/callback", "https://127.0.0.1/callback"):
        assert not app.accepts_redirect_uri(address)
    assert app.clusters == frozenset(DataCluster)
    assert app.statuses == dict.fromkeys(("1000", "2000", "3000"), Status.ACTIVE)
    assert not app.pkce_required


@pytest.mark.parametrize("client_id", ["dc-budget", "dc-loans", "dc-own-app"])
def test_the_demos_recipients_say_who_they_are_and_why_in_both_languages(
    demo: Registry, client_id: str
) -> None:
    client: Client = demo.clients[client_id]
    assert client.allow_subset
    assert not client.is_suspended
    assert client.purpose is not None
    for text in (
        client.name,
        client.legal_name,
        client.site,
        client.privacy_policy,
        client.terms,
        client.purpose,
    ):
        assert text.en
        assert text.fr
        assert text.en != text.fr


def test_the_demo_is_refused_in_production_for_each_secret_and_each_sandbox() -> None:
    faults = faults_of(DEMO_REGISTRY, allow_demo=False)
    assert all(fault.endswith(" does not work in production") for fault in faults)
    assert {
        "recipients[dc-budget].demo: a demo secret does not work in production",
        "recipients[dc-loans].demo: a demo secret does not work in production",
        "resource_servers[maple-api].demo: a demo secret does not work in production",
        "resource_servers[northern-api].demo: a demo secret does not work in production",
        "resource_servers[harbour-api].demo: a demo secret does not work in production",
        "providers[1000].sign_in: sandbox sign-in does not work in production",
        "providers[2000].sign_in: sandbox sign-in does not work in production",
        "providers[1000].accounts.from: the sandbox does not work in production",
        "providers[3000].oidc.issuer: http does not work in production",
        "recipients[dc-budget].notices.address: http does not work in production",
        "providers[1000].audience: http does not work in production",
    } <= {fault.partition(": ")[2] for fault in faults}
    audiences = [f'audience = "http://localhost:8003/{bank}"' for bank in ("maple", "northern", "harbour")]
    told = [
        DEMO_REGISTRY.read_text(encoding="utf-8").splitlines()[int(fault.partition(":")[0]) - 1]
        for fault in faults
    ]
    assert {line.partition(" {")[0] for line in told} == {
        "demo = true",
        'sign_in = "sandbox"',
        "accounts =",
        "notices =",
        "oidc =",
        *audiences,
    }
    assert len(told) >= 4


# A good file


def test_a_good_file_is_read(write: Write) -> None:
    registry = read(write(GOOD))
    client = registry.clients["dc-budget"]
    assert client.statuses == {"1000": Status.ACTIVE}
    assert client.purpose == Bilingual(
        en="To help you plan your spending.", fr="Pour vous aider à planifier vos dépenses."
    )
    assert client.logo is None
    assert client.history_months is None
    known = ClientCredentials("dc-budget", "budget-demo-secret")
    assert authenticate_client(known, registry, now=NOON) == (client, SecretUsed.CURRENT)


def test_a_secret_that_is_being_replaced_counts_until_its_moment(write: Write) -> None:
    line = f'previous_secret = {{ sha256 = "{"1" * 64}", until = 2026-12-31T12:00:00-05:00 }}\n'
    text = GOOD.replace("consent_days = 365\n", f"consent_days = 365\n{line}", 1)
    previous = read(write(text)).clients["dc-budget"].previous_secret
    assert previous == PreviousSecret("1" * 64, datetime(2026, 12, 31, 17, tzinfo=UTC))


@pytest.mark.parametrize("until", ["2026-12-31", "2026-12-31T12:00:00", '"2026-12-31T12:00:00Z"', "1"])
def test_until_when_an_old_secret_counts_is_a_moment_with_a_zone(write: Write, until: str) -> None:
    line = f'previous_secret = {{ sha256 = "{"1" * 64}", until = {until} }}\n'
    (fault,) = faults_of(write(GOOD.replace("consent_days = 365\n", f"consent_days = 365\n{line}", 1)))
    assert "previous_secret.until: must be a moment with its zone, such as 2026-12-31T12:00:00Z" in fault


def test_a_secret_of_the_demo_is_refused_in_production_whatever_the_file_calls_it(tmp_path: Path) -> None:
    hashes = re.findall(r'secret_sha256 = "([0-9a-f]{64})"', DEMO_REGISTRY.read_text())
    assert len(hashes) == 6
    assert set(hashes) < DEMO_HASHES
    file = tmp_path / "registry.toml"
    file.write_text(DEMO_REGISTRY.read_text().replace("demo = true", "demo = false"))
    with pytest.raises(RegistryError) as raised:
        read_registry(file, allow_demo=False)
    of_secrets = [fault for fault in raised.value.faults if ".secret_sha256: a demo secret does not" in fault]
    assert len(of_secrets) == 6


def test_what_may_be_said_beside_the_necessary_is_read(write: Write) -> None:
    extended = edited(
        "consent_days = 365\n",
        """\
consent_days = 90
history_months = 24
allow_subset = false
suspended = true
pkce_required = true
logo = "budget.svg"
agent = { en = "Agent", fr = "Mandataire" }
[recipients.cluster_purposes]
TRANSACTIONS = { en = "To see your spending.", fr = "Pour voir vos dépenses." }
""",
    )
    client = read(write(extended)).clients["dc-budget"]
    assert client.consent_duration == timedelta(days=90)
    assert client.history_months == 24
    assert not client.allow_subset
    assert client.is_suspended
    assert client.pkce_required
    assert client.logo == "budget.svg"
    assert client.agent == Bilingual(en="Agent", fr="Mandataire")
    assert client.cluster_purposes["TRANSACTIONS"] == Bilingual(
        en="To see your spending.", fr="Pour voir vos dépenses."
    )


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Budget\\u202eCompass", "BudgetCompass"),  # bidi override
        ("\\u2066Budget\\u2069 Compass", "Budget Compass"),  # bidi isolate
        ("\\u200fBudget Compass\\u061c", "Budget Compass"),  # bidi marks
        ("Bud\\u200bget\\u200d\\u2060 Comp\\ufeffass", "Budget Compass"),  # zero width
        ("Bud\\u00adget Compass", "Budget Compass"),  # soft hyphen
        ("Budget\\u0000 Comp\\u001b[31mass\\u007f\\u0085", "Budget Comp[31mass"),  # controls
        ("Budget\\tCompass\\r\\n", "Budget Compass"),
        ("Budget\\u2028Compass\\u2029", "Budget Compass"),  # line separators
        ("  Budget \\u00a0  Compass ", "Budget Compass"),
        ("Budget\\U000E0041\\U000E007F Compass", "Budget Compass"),  # tags: invisible ASCII
        ("\\ufff9Budget\\ufffbCompass", "BudgetCompass"),  # interlinear annotation
        ("\\u3164Budget\\u115f\\u1160\\uffa0 Compass", "Budget Compass"),  # letters that are blank
        ("Bud\\u034fget Compass", "Budget Compass"),  # a joiner without a shape
        ("Budget Compass\\ufe0f\\U000E0100", "Budget Compass"),  # variation selectors
        # What can be seen is text, whatever it looks like.
        ('<b>Budget</b> & \\"Compass\\"', '<b>Budget</b> & "Compass"'),
        ("Érable, L’Étoile « du Nord » 🍁", "Érable, L’Étoile « du Nord » 🍁"),
        ("شركة", "شركة"),
    ],
)
def test_a_name_is_cleaned_of_what_cannot_be_seen_and_disturbs_what_can(
    write: Write, written: str, shown: str
) -> None:
    text = edited('name = { en = "Budget Compass"', f'name = {{ en = "{written}"')
    assert read(write(text)).clients["dc-budget"].name.en == shown


def test_a_purpose_over_several_lines_is_one_sentence(write: Write) -> None:
    text = edited('"To help you plan your spending."', '"""\nTo help you\nplan\r\n  your spending.\n"""')
    purpose = read(write(text)).clients["dc-budget"].purpose
    assert purpose is not None
    assert purpose.en == "To help you plan your spending."


@pytest.mark.parametrize("character", ["n", "é", "漢", "🍁"])
def test_a_name_of_256_characters_is_allowed_and_one_more_is_a_fault(write: Write, character: str) -> None:
    longest = edited('{ en = "Budget Compass"', f'{{ en = "{character * 256}"')
    assert read(write(longest)).clients["dc-budget"].name.en == character * 256
    too_long = edited('{ en = "Budget Compass"', f'{{ en = "{character * 257}"')
    line = line_of(GOOD, 'name = { en = "Budget Compass"')
    assert faults_of(write(too_long)) == [
        f"{line}: recipients[dc-budget].name.en: has more than 256 characters"
    ]


def test_characters_that_cannot_be_seen_do_not_count(write: Write) -> None:
    padded = edited('{ en = "Budget Compass"', f'{{ en = "{"n" * 256}{chr(0x200B) * 50}"')
    assert read(write(padded)).clients["dc-budget"].name.en == "n" * 256


# Faults


RECIPIENT = GOOD.index("[[recipients]]")


def with_value(table: str, key: str, value: str | None) -> str:
    """The good file in which the provider's or the recipient's `key` has another value, or none."""
    provider, recipient = GOOD[:RECIPIENT], GOOD[RECIPIENT:]
    entry = provider if table == "providers" else recipient
    line = "" if value is None else f"{key} = {value}\n"
    changed, count = re.subn(rf"(?m)^{key} = .*\n", lambda _: line, entry)
    if count == 0:
        changed = entry.replace("]]\n", f"]]\n{line}", 1)
    return changed + recipient if table == "providers" else provider + changed


def site(en: str) -> str:
    return f'{{ en = "{en}", fr = "https://b.example" }}'


@pytest.mark.parametrize(
    ("table", "key", "value", "place", "reason"),
    [
        # Who.
        ("recipients", "client_id", '""', "[0].client_id", "must be of the form"),
        ("recipients", "client_id", '"dc budget"', "[dc budget].client_id", "must be of the form"),
        ("recipients", "client_id", r'"dc-budget\n"', r"[dc-budget\n].client_id", "must be of the form"),
        ("recipients", "client_id", r'"dc-\u202e"', r"[dc-\u202e].client_id", "must be of the form"),
        ("recipients", "client_id", f'"{"c" * 65}"', f"[{'c' * 65}].client_id", "must be of the form"),
        ("recipients", "client_id", None, "[0].client_id", "is missing"),
        ("providers", "provider_id", "1000", "[1000].provider_id", "must be a text"),
        ("providers", "country", '"ca"', "[1000].country", "must be of the form"),
        ("providers", "country", None, "[1000].country", "is missing"),
        ("providers", "colour", '"red"', "[1000].colour", "must be of the form"),
        ("providers", "colour", '"#8c1d2f;"', "[1000].colour", "must be of the form"),
        ("providers", "colour", '"#f2c500"', "[1000].colour", "contrast of 1.65:1 with the white text"),
        ("providers", "colour", '"#777777"', "[1000].colour", "contrast of 4.48:1 with the white text"),
        ("providers", "sign_in", '"none"', "[1000].sign_in", "must be one of 'sandbox'"),
        ("recipients", "name", r'{ en = "\u200b \u202e", fr = "B" }', ".name.en", "nothing that can"),
        ("recipients", "name", '{ en = "B", fr = "" }', ".name.fr", "nothing that can"),
        ("recipients", "name", '{ en = "B" }', ".name.fr", "is missing"),
        ("recipients", "name", '{ en = "B", fr = "B", de = "B" }', ".name.de", "is not known here"),
        ("recipients", "legal_name", '"B"', ".legal_name", "must be a table"),
        # Addresses of pages.
        ("recipients", "site", site("http://b.example"), ".site.en", "https address"),
        ("recipients", "site", site("javascript:x"), ".site.en", "https address"),
        ("recipients", "site", site("https://a@b.example"), ".site.en", "https address"),
        ("recipients", "site", site("https://[::1"), ".site.en", "Invalid IPv6 URL"),
        ("providers", "audience", '"api.maple.example"', "[1000].audience", "https URL"),
        # Callbacks; the domain's own tests have every reason.
        ("recipients", "redirect_uris", '["https://b.example/*"]', ".redirect_uris[0]", "wildcard"),
        ("recipients", "redirect_uris", '["com.b.app:/", "http://b.c/"]', ".redirect_uris[1]", "loopback"),
        ("recipients", "redirect_uris", '["com.b:/", "com.b:/"]', ".redirect_uris", "something twice"),
        ("recipients", "redirect_uris", "[]", ".redirect_uris", "at least 1 entry"),
        ("recipients", "redirect_uris", '"https://b.example/callback"', ".redirect_uris", "must be a list"),
        # What.
        ("recipients", "needs", '["TRANSACTIONS"]', ".needs", "must contain ACCOUNT_BASIC"),
        ("recipients", "needs", "[]", ".needs", "at least 1 entry"),
        ("recipients", "needs", '["ACCOUNT_BASIC", "STATEMENTS"]', ".needs", "that clusters does not"),
        ("recipients", "needs", '["ACCOUNT_BASIC", "ACCOUNT_BASIC"]', ".needs", "names something twice"),
        ("recipients", "needs", '["ACCOUNT_BASIC", "openid"]', ".needs[1]", "must be one of 'ACCOUNT_BASIC'"),
        ("recipients", "cluster_purposes", "{ TRANSACTIONS = 5 }", ".cluster_purposes.TRANSACTIONS", "must be a table"),
        # How long.
        ("recipients", "consent_days", "366", ".consent_days", "must be 365 or less"),
        ("recipients", "consent_days", "0", ".consent_days", "must be 1 or more"),
        ("recipients", "consent_days", "1.5", ".consent_days", "must be a whole number"),
        ("recipients", "consent_days", None, ".consent_days", "is missing"),
        ("recipients", "history_months", "0", ".history_months", "must be 1 or more"),
        # With whom.
        ("recipients", '"1000"', '"active"', ".providers.1000", "must be one of"),
        ("recipients", '"1000"', '"ACTIVE"\n"9" = "ACTIVE"', ".providers.9", "is not a registered provider"),
        # Secrets and logos.
        ("recipients", "secret_sha256", '"budget-demo-secret"', ".secret_sha256", "must be of the form"),
        ("recipients", "logo", '"none.svg"', ".logo", "is a file neither under static/logos"),
        ("recipients", "logo", '"../accord.css"', ".logo", "must be of the form"),
        ("recipients", "logo", f'"{"l" * 300}.svg"', ".logo", "at most 64 characters"),
        # Typing errors.
        ("recipients", "consent_day", "365", ".consent_day", "is not known here"),
    ],
)  # fmt: skip
def test_each_fault_is_told_with_its_line_its_place_and_the_reason(
    write: Write, table: str, key: str, value: str | None, place: str, reason: str
) -> None:
    text = with_value(table, key, value)
    (fault,) = faults_of(write(text))
    line, _, told = fault.partition(": ")
    assert told.startswith(table + ("[dc-budget]" if place.startswith(".") else "") + place + ": ")
    assert reason in told
    told_line = text.splitlines()[int(line) - 1]
    assert (
        told_line == f"[[{table}]]"
        if value is None
        else told_line.startswith(("[recipients.providers]", key))
    )


@pytest.mark.parametrize("provider_id", [".", ".."])
def test_a_provider_is_a_part_of_addresses_that_no_browser_removes(write: Write, provider_id: str) -> None:
    faults = faults_of(write(GOOD.replace('"1000"', f'"{provider_id}"')))
    assert [fault.partition(": ")[2] for fault in faults] == [
        f"providers[{provider_id}].provider_id: must not be . or .."
    ]


def test_a_fault_in_a_list_of_entries_names_the_entry_or_its_number(write: Write) -> None:
    line = line_of(GOOD, "customers = [")
    nameless = edited('user_name = "alex", ', "")
    assert faults_of(write(nameless)) == [f"{line}: providers[1000].customers[0].user_name: is missing"]
    (fault,) = faults_of(write(edited('subject = "maple-0001"', 'subject = "maple 0001"')))
    assert fault.startswith(f"{line}: providers[1000].customers[alex].subject: ")


def test_a_table_with_a_typing_error_in_its_name_is_told_with_its_own_line(write: Write) -> None:
    (fault,) = faults_of(write(GOOD + '\n[[recipient]]\nclient_id = "dc-second"\n'))
    assert fault == f"{line_of(GOOD, '[recipients.providers]') + 3}: recipient: is not known here"


def test_a_fault_is_told_with_the_line_of_its_key_in_its_own_entry(write: Write) -> None:
    twice = GOOD + GOOD[GOOD.index("[[recipients]]") :].replace("dc-budget", "dc-second").replace(
        "365", "366"
    )
    (fault,) = faults_of(write(twice))
    line = line_of(twice, "consent_days = 366")
    assert fault.startswith(f"{line}: recipients[dc-second].consent_days: ")


def test_what_is_missing_is_told_with_the_line_of_its_entry(write: Write) -> None:
    (fault,) = faults_of(write(edited('country = "CA"\n', "")))
    assert fault == "1: providers[1000].country: is missing"
    (fault,) = faults_of(write(edited("consent_days = 365\n", "")))
    assert fault == f"{line_of(GOOD, '[[recipients]]')}: recipients[dc-budget].consent_days: is missing"


@pytest.mark.parametrize(("table", "key"), [("recipients", "client_id"), ("providers", "provider_id")])
def test_an_identifier_may_be_registered_only_once(write: Write, table: str, key: str) -> None:
    start = GOOD.index(f"[[{table}]]")
    end = GOOD.find("[[", start + 2)
    entry = GOOD[start : end if end > 0 else None]
    text = GOOD + "\n" + entry
    name = entry.split('"')[1]
    line = len(GOOD.splitlines()) + 3
    assert faults_of(write(text)) == [f"{line}: {table}[{name}].{key}: is registered twice"]


def test_a_test_customers_name_and_subject_may_be_registered_only_once(write: Write) -> None:
    customer = GOOD[GOOD.index("    { user_name") : GOOD.index("]\n\n[[recipients]]")]
    text = GOOD.replace(customer, customer * 2)
    line = line_of(GOOD, "customers = [")
    assert faults_of(write(text)) == [
        f"{line}: providers[1000].customers[alex].user_name: is registered twice",
        f"{line}: providers[1000].customers[alex].subject: is registered twice",
    ]


def test_all_faults_of_a_file_are_told_at_once(write: Write) -> None:
    text = (
        GOOD.replace('country = "CA"', 'country = "Canada"')
        .replace("consent_days = 365", "consent_days = 1000")
        .replace("https://budget.example/callback", "http://budget.example/callback")
        .replace('"1000" = "ACTIVE"', '"2000" = "ACTIVE"')
        .replace('client_id = "dc-budget"', 'client_id = "dc-budget"\ndemo = true')
    )
    places = [fault.split(": ")[1] for fault in faults_of(write(text), allow_demo=False)]
    assert sorted(places) == [
        "providers[1000].country",
        "providers[1000].sign_in",
        "recipients[dc-budget].consent_days",
        "recipients[dc-budget].demo",
        "recipients[dc-budget].providers.2000",
        "recipients[dc-budget].redirect_uris[0]",
    ]


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("", ["providers", "recipients"]),
        ("providers = []\nrecipients = []", ["providers", "recipients"]),
        ("providers = 5\nrecipients = 'x'", ["providers", "recipients"]),
        ("providers = [5]\nrecipients = [[]]", ["providers[0]", "recipients[0]"]),
        ("[providers]\n[recipients]", ["providers", "recipients"]),
    ],
)
def test_a_file_that_registers_nobody_is_a_fault(write: Write, text: str, places: list[str]) -> None:
    assert [fault.split(": ")[1] for fault in faults_of(write(text))] == places


@pytest.mark.parametrize("inner", ["5", "'x'", "[]", "[5]", "{}", "true"])
@pytest.mark.parametrize("key", ["providers", "clusters", "name", "redirect_uris", "client_id", "needs"])
def test_no_value_of_a_wrong_kind_is_more_than_a_fault(write: Write, key: str, inner: str) -> None:
    document = f"[[providers]]\ncustomers = {inner}\nprovider_id = {inner}\n[[recipients]]\n{key} = {inner}\n"
    assert len(faults_of(write(document))) > 5


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[[providers]\n", "is not TOML: .*at line 1"),
        (b"\n\nname = \n", "is not TOML: .*at line 3"),
        (b'name = "a"\nname = "b"\n', "is not TOML: Cannot overwrite a value .*at line 2"),
        (b'name = "\xff"', "is not TOML: .*invalid start byte"),
    ],
)
def test_a_file_that_is_not_toml_is_a_fault_with_its_line(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "registry.toml"
    path.write_bytes(content)
    (fault,) = faults_of(path)
    assert re.match(reason, fault)


def test_a_file_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    assert faults_of(tmp_path / "missing.toml") == ["cannot be read: No such file or directory"]
    assert faults_of(tmp_path) == ["cannot be read: Is a directory"]


def test_no_fault_repeats_a_password_or_a_hash(write: Write) -> None:
    text = GOOD.replace('password = "maple-syrup"', f'password = "{"maple-syrup" * 20}"').replace(
        "8478dab97e7b", "8478DAB97E7B"
    )
    told = "".join(faults_of(write(text)))
    assert "password" in told
    assert "maple-syrup" not in told
    assert "8478" not in told


# Secrets


def test_a_new_secret_has_256_random_bits_and_comes_with_the_hash_to_register() -> None:
    secret, hashed = make_client_secret()
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", secret)
    assert hashed == hash_secret(secret)
    assert len({make_client_secret()[0] for _ in range(100)}) == 100


def test_a_new_secret_works_when_its_hash_is_registered(write: Write) -> None:
    secret, hashed = make_client_secret()
    text = edited("8478dab97e7b5922fa862c43853ee013ba310452ae748d01c4446276ad9d526d", hashed)
    registry = read(write(text))
    assert (
        authenticate_client(ClientCredentials("dc-budget", secret), registry, now=NOON)[0].client_id
        == "dc-budget"
    )
