"""Settings: typed, complete or refused, and everything that is wrong is said at once."""

import os
import re
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from app import create_app
from app.environment import SECRETS
from app.settings import ConfigurationError, Settings, variable_name
from tests.support.registrations import DEMO_REGISTRY

KEY = "a secret key of the tests, long enough"
OLD_KEY = "the key before that one in 32 bytes"


@pytest.fixture(autouse=True)
def production(monkeypatch: pytest.MonkeyPatch, signing_keys: Path) -> None:
    """A complete environment for production, and no other variable."""
    for field in Settings.model_fields:
        monkeypatch.delenv(variable_name(field), raising=False)
    monkeypatch.setenv("ACCORD_ISSUER", "https://consent.bank.example")
    monkeypatch.setenv("ACCORD_REDIS_URL", "rediss://:redis-password@redis.example:6380/0")
    monkeypatch.setenv("ACCORD_LEDGER_URL", "postgresql+psycopg://accord:ledger-password@db.example/accord")
    monkeypatch.setenv("ACCORD_REGISTRY", str(DEMO_REGISTRY))
    monkeypatch.setenv("ACCORD_SIGNING_KEYS", str(signing_keys))
    monkeypatch.setenv("SECRET_KEY", KEY)


def faults() -> list[str]:
    with pytest.raises(ConfigurationError) as raised:
        Settings()
    return str(raised.value).splitlines()


# Complete or refused


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            {"redis_url": "http://localhost"},
            "ACCORD_REDIS_URL must begin with redis://, rediss://, unix://, redis[s]+sentinel:// or redis[s]+cluster://",
        ),
        ({"ledger_url": "nonsense"}, "ACCORD_LEDGER_URL is no address of a database that is known here"),
        ({"ledger_url": "oracle9://x"}, "ACCORD_LEDGER_URL is no address of a database that is known here"),
    ],
)
def test_an_address_that_cannot_be_used_stops_the_start(
    settings: Settings, change: dict[str, str], fault: str
) -> None:
    values = {name: SecretStr(value) for name, value in change.items()}
    with pytest.raises(ConfigurationError, match=f"^{re.escape(fault)}$"):
        create_app(settings.model_copy(update=values))


def test_a_complete_environment_is_production_unless_it_says_otherwise() -> None:
    settings = Settings()
    assert not settings.is_development
    assert settings.is_https
    assert settings.issuer == "https://consent.bank.example"
    assert settings.redis_url.get_secret_value() == "rediss://:redis-password@redis.example:6380/0"


def test_everything_that_is_missing_is_listed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    required = ["ISSUER", "REDIS_URL", "LEDGER_URL", "REGISTRY", "SIGNING_KEYS"]
    for name in required:
        monkeypatch.delenv(f"ACCORD_{name}")
    monkeypatch.delenv("SECRET_KEY")
    assert sorted(faults()) == sorted(
        [*(f"ACCORD_{name} is missing" for name in required), "SECRET_KEY is missing"]
    )


def test_an_empty_variable_counts_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCORD_REDIS_URL", "")
    monkeypatch.setenv("SECRET_KEY", "")
    monkeypatch.setenv("ACCORD_CODE_LIFETIME", "")
    assert faults() == ["ACCORD_REDIS_URL is missing", "SECRET_KEY is missing"]


def test_what_is_missing_and_what_is_wrong_is_listed_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ACCORD_LEDGER_URL")
    monkeypatch.setenv("ACCORD_ENVIRONMENT", "testing")
    monkeypatch.setenv("SECRET_KEY", "short")
    monkeypatch.setenv("ACCORD_REGISTRY", "/nowhere/registry.toml")
    monkeypatch.setenv("ACCORD_CODE_LIFETIME", "601")
    monkeypatch.setenv("ACCORD_TIME_ZONE", "Maple/Leaf")
    told = faults()
    assert [line.split()[0] for line in told] == [
        "ACCORD_ENVIRONMENT",
        "ACCORD_LEDGER_URL",
        "ACCORD_REGISTRY",
        "SECRET_KEY",
        "ACCORD_CODE_LIFETIME",
        "ACCORD_TIME_ZONE",
    ]


@pytest.mark.parametrize("name", ["ACCORD_REGISTRY", "ACCORD_SIGNING_KEYS"])
@pytest.mark.parametrize(
    ("place", "fault"),
    [
        ("/nowhere/file", "cannot be read: No such file or directory"),
        ("/", "is no file"),
        (f"/{'a' * 300}", "cannot be read: File name too long"),
    ],
)
def test_a_file_that_is_not_there_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, place: str, fault: str
) -> None:
    monkeypatch.setenv(name, place)
    assert faults() == [f"{name} {fault}"]


@pytest.mark.parametrize("field", ["registry", "signing_keys"])
def test_a_file_that_is_there_and_cannot_be_read_stops_the_start_with_one_line(
    settings: Settings, field: str
) -> None:
    unreadable = Path("/proc/self/mem")  # for root, too
    with pytest.raises(ConfigurationError, match=f"^{unreadable}:? cannot be read: Input/output error$"):
        create_app(settings.model_copy(update={field: unreadable}))


def test_nothing_secret_is_in_what_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "too-short-a-key")
    monkeypatch.setenv("SECRET_KEY_FALLBACKS", "another-short-key")
    monkeypatch.setenv("ACCORD_ENVIRONMENT", "testing")
    said = "\n".join(faults())
    for secret in ("too-short-a-key", "another-short-key", "redis-password", "ledger-password"):
        assert secret not in said


def test_nothing_secret_is_in_the_representation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY_FALLBACKS", OLD_KEY)
    text = repr(Settings()) + str(Settings())
    for secret in (KEY, OLD_KEY, "redis-password", "ledger-password"):
        assert secret not in text


# The issuer


@pytest.mark.parametrize(
    ("issuer", "kept"),
    [
        ("https://consent.bank.example", "https://consent.bank.example"),
        ("https://consent.bank.example/", "https://consent.bank.example"),
        ("https://consent.bank.example:8443", "https://consent.bank.example:8443"),
    ],
)
def test_the_issuer_is_a_bare_https_origin(monkeypatch: pytest.MonkeyPatch, issuer: str, kept: str) -> None:
    monkeypatch.setenv("ACCORD_ISSUER", issuer)
    assert Settings().issuer == kept


@pytest.mark.parametrize(
    "issuer",
    [
        "consent.bank.example",
        "ftp://consent.bank.example",
        "https://",
        "https:consent.bank.example",
        "https://consent.bank.example/path",
        "https://consent.bank.example?x=y",
        "https://consent.bank.example?",
        "https://consent.bank.example#",
        "https://consent.bank.example/#top",
        "https://user@consent.bank.example",
        "https://@consent.bank.example",
        "https://[::1",
        "https://[2001:db8::1]",
        "http://[::1]:8000",
        "https://consent.bank.example:port",
        "https://consent.bank.example:65536",
        "HTTPS://consent.bank.example",
        "https://consent.bank.example\n",
        " https://consent.bank.example",
        "https://consent .bank.example",
    ],
)
@pytest.mark.parametrize("environment", ["production", "development"])
def test_anything_else_is_no_issuer(monkeypatch: pytest.MonkeyPatch, issuer: str, environment: str) -> None:
    monkeypatch.setenv("ACCORD_ISSUER", issuer)
    monkeypatch.setenv("ACCORD_ENVIRONMENT", environment)
    (fault,) = faults()
    assert fault.startswith("ACCORD_ISSUER ")


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "localhost"])
def test_http_is_for_development_on_loopback(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("ACCORD_ISSUER", f"http://{host}")
    assert faults() == ["ACCORD_ISSUER must be https outside development"]
    monkeypatch.setenv("ACCORD_ENVIRONMENT", "development")
    assert Settings().is_development
    assert not Settings().is_https


@pytest.mark.parametrize("host", ["consent.bank.example", "localhost.evil.example", "192.0.2.1", "127.0.0.2"])
def test_http_anywhere_else_is_refused_in_development_too(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("ACCORD_ENVIRONMENT", "development")
    monkeypatch.setenv("ACCORD_ISSUER", f"http://{host}")
    assert faults() == ["ACCORD_ISSUER must be on loopback in development, where demo secrets are accepted"]


def test_https_elsewhere_is_no_development_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCORD_ENVIRONMENT", "development")
    assert faults() == ["ACCORD_ISSUER must be on loopback in development, where demo secrets are accepted"]
    monkeypatch.setenv("ACCORD_ISSUER", "https://localhost:8443")
    assert Settings().is_development


def test_what_is_written_in_another_case_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("accord_environment", "development")
    assert faults() == ["accord_environment is no setting; the nearest is ACCORD_ENVIRONMENT"]


# Keys


@pytest.mark.parametrize("key", ["k" * 31, "é" * 15, "k"])
def test_a_key_of_fewer_than_32_bytes_is_refused(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("SECRET_KEY", key)
    assert faults() == ["SECRET_KEY must have at least 32 bytes"]


@pytest.mark.parametrize("key", ["0123456789abcdef0123456789abcde-", "éàèùâêîôûëïüÿçœæ"])
def test_a_key_of_32_bytes_is_enough(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("SECRET_KEY", key)
    assert Settings().secret_keys == [key]


def test_the_key_that_signs_comes_last_after_the_fallbacks_from_the_oldest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    newer, older = "the newer one of the two and long enough", OLD_KEY
    monkeypatch.setenv("SECRET_KEY_FALLBACKS", f"{newer}, {older},")
    assert Settings().secret_keys == [older, newer, KEY]


def test_a_fallback_that_is_too_short_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY_FALLBACKS", f"{OLD_KEY},short")
    assert faults() == ["SECRET_KEY_FALLBACKS must have at least 32 bytes"]


@pytest.mark.parametrize("key", ["a" * 32, "ab" * 16, "0123456789abcdef" * 2, "secret" * 8, "é" * 40])
def test_a_key_that_is_nothing_random_is_refused(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    reason = "can be guessed: it has too few different characters, or repeats itself"
    monkeypatch.setenv("SECRET_KEY", key)
    monkeypatch.setenv("SECRET_KEY_FALLBACKS", key)
    assert faults() == [f"SECRET_KEY {reason}", f"SECRET_KEY_FALLBACKS {reason}"]


# Files, and names


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_and_an_address_with_one_may_be_in_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    text = os.environ.get(name, OLD_KEY)
    monkeypatch.delenv(name, raising=False)
    (tmp_path / "secret").write_text(f"{text}\n")
    monkeypatch.setenv(f"{name}_FILE", str(tmp_path / "secret"))
    settings = Settings()
    values = {
        "ACCORD_REDIS_URL": settings.redis_url.get_secret_value(),
        "ACCORD_LEDGER_URL": settings.ledger_url.get_secret_value(),
        "SECRET_KEY": settings.secret_key.get_secret_value(),
        "SECRET_KEY_FALLBACKS": settings.secret_keys[0],
    }
    assert values[name] == text
    monkeypatch.setenv(name, text)
    assert faults() == [f"{name} and {name}_FILE are both set"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "SECRET_KEY_FILE cannot be read: No such file or directory"),
        (b"\xff", "SECRET_KEY_FILE is not text"),
        (b" \n", "SECRET_KEY_FILE is empty"),
        (b"short", "SECRET_KEY must have at least 32 bytes"),
    ],
)
def test_a_file_that_holds_no_secret_is_one_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, fault: str
) -> None:
    monkeypatch.delenv("SECRET_KEY")
    monkeypatch.setenv("SECRET_KEY_FILE", str(tmp_path / "secret"))
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    assert faults() == [fault]


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("ACCORD_TRUSTED_PROXYS", "ACCORD_TRUSTED_PROXIES"),
        ("ACCORD_SECRET_KEY", "SECRET_KEY"),
        ("ACCORD_WORKER", "ACCORD_WORKERS"),
        ("ACCORD_REDIS_URI", "ACCORD_REDIS_URL"),
    ],
)
def test_a_variable_of_ours_that_nobody_reads_is_a_fault_that_names_the_nearest(
    monkeypatch: pytest.MonkeyPatch, name: str, nearest: str
) -> None:
    monkeypatch.setenv(name, "x")
    assert faults() == [f"{name} is no setting; the nearest is {nearest}"]


@pytest.mark.parametrize(
    ("days", "is_taken"), [("1", True), ("90", True), ("0", False), ("91", False), ("1.5", False)]
)
def test_recipients_are_reminded_so_many_whole_days_before_the_end(
    monkeypatch: pytest.MonkeyPatch, days: str, is_taken: bool
) -> None:
    assert Settings().renewal_days == 14
    monkeypatch.setenv("ACCORD_RENEWAL_DAYS", days)
    if is_taken:
        assert Settings().renewal_days == int(days)
    else:
        assert faults()[0].startswith("ACCORD_RENEWAL_DAYS Input should be ")


# Lifetimes

LIFETIMES = [
    ("request_lifetime", 15 * 60, 3600),
    ("code_lifetime", 60, 600),
    ("access_token_lifetime", 5 * 60, 3600),
    ("refresh_token_idle", 30 * 86400, 365 * 86400),
    ("session_idle", 30 * 60, 8 * 3600),
    ("session_absolute", 8 * 3600, 24 * 3600),
    ("sign_in_window", 5 * 60, 3600),
    ("store_timeout", 0.9, 2),
]


@pytest.mark.parametrize(("field", "default", "longest"), LIFETIMES)
def test_a_lifetime_is_in_seconds_up_to_its_limit(
    monkeypatch: pytest.MonkeyPatch, field: str, default: float, longest: int
) -> None:
    assert getattr(Settings(), field) == timedelta(seconds=default)
    for seconds in (1, longest):
        monkeypatch.setenv(variable_name(field), f"{seconds}")
        assert getattr(Settings(), field) == timedelta(seconds=seconds)
    monkeypatch.setenv(variable_name(field), f"{longest + 1}")
    (fault,) = faults()
    assert fault.startswith(f"{variable_name(field)} Input should be less than or equal to ")


def test_parts_of_a_second_may_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCORD_STORE_TIMEOUT", "0.9")
    assert Settings().store_timeout == timedelta(milliseconds=900)


@pytest.mark.parametrize(
    "text", ["0", "-1", ".5", "1e3", "soon", "60 s", "1,5", "²", "9" * 17, "9" * 400, "9" * 5000]
)
def test_what_is_no_number_of_seconds_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("ACCORD_CODE_LIFETIME", text)
    (fault,) = faults()
    assert fault.startswith("ACCORD_CODE_LIFETIME ")


# Threads


@pytest.mark.parametrize(("threads", "waiting"), [("8", "7"), ("5", "4"), ("2", "1"), ("1", "1")])
def test_customers_of_a_bank_that_hangs_leave_a_thread_for_the_others(
    monkeypatch: pytest.MonkeyPatch, threads: str, waiting: str
) -> None:
    monkeypatch.setenv("ACCORD_THREADS", threads)
    monkeypatch.setenv("ACCORD_BANK_WAITING", waiting)
    assert Settings().bank_waiting == int(waiting)
    monkeypatch.setenv("ACCORD_BANK_WAITING", str(int(waiting) + 1))
    assert faults() == ["ACCORD_BANK_WAITING must be less than ACCORD_THREADS"]


@pytest.mark.parametrize(
    ("threads", "connections", "waiting"), [("64", 66, 32), ("8", 10, 4), ("2", 4, 1), ("1", 3, 1)]
)
def test_what_threads_need_follows_from_how_many_there_are(
    monkeypatch: pytest.MonkeyPatch, threads: str, connections: int, waiting: int
) -> None:
    monkeypatch.setenv("ACCORD_THREADS", threads)
    assert (Settings().ledger_connections, Settings().bank_waiting) == (connections, waiting)


@pytest.mark.parametrize("threads", ["0", "-1", "65", "many"])
def test_a_fault_in_the_threads_is_one_fault(monkeypatch: pytest.MonkeyPatch, threads: str) -> None:
    monkeypatch.setenv("ACCORD_THREADS", threads)
    (fault,) = faults()
    assert fault.startswith("ACCORD_THREADS ")


# Hosts and the rest


def test_only_the_issuers_host_and_those_named_are_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().hosts == ["consent.bank.example"]
    monkeypatch.setenv("ACCORD_TRUSTED_HOSTS", "internal.example, consent.bank.example,,other.example ")
    assert Settings().hosts == ["consent.bank.example", "internal.example", "other.example"]


def test_development_trusts_loopback_by_all_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCORD_ENVIRONMENT", "development")
    monkeypatch.setenv("ACCORD_ISSUER", "http://localhost:8000")
    assert Settings().hosts == ["localhost", "127.0.0.1"]


@pytest.mark.parametrize("name", ["America/Vancouver", "UTC"])
def test_a_time_zone_is_one_of_the_iana_database(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert Settings().time_zone == "America/Toronto"
    monkeypatch.setenv("ACCORD_TIME_ZONE", name)
    assert Settings().time_zone == name


@pytest.mark.parametrize(
    "name", ["Maple/Leaf", "../../etc/passwd", "/etc/passwd", "EST5EDT,M3", "\udcff", "a" * 5000]
)
def test_what_is_no_time_zone_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("ACCORD_TIME_ZONE", name)
    (fault,) = faults()
    assert fault.startswith("ACCORD_TIME_ZONE must be a time zone of the IANA database")


def test_settings_cannot_be_changed_and_ignore_other_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANOTHER_PROGRAMS", "x")
    settings = Settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.issuer = "https://evil.example"  # type: ignore[misc]  # which is what it is about
    assert settings.issuer == "https://consent.bank.example"


# The metrics


@pytest.mark.parametrize(
    ("address", "port"), [("127.0.0.1:9100", 9100), ("[::1]:1", 1), ("metrics.internal:65535", 65535)]
)
def test_the_metrics_have_an_address_and_a_port(
    monkeypatch: pytest.MonkeyPatch, address: str, port: int
) -> None:
    assert Settings().metrics_port is None
    monkeypatch.setenv("ACCORD_METRICS_ADDRESS", address)
    assert Settings().metrics_port == port


@pytest.mark.parametrize(
    "address", ["9100", ":9100", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "a:b"]
)
def test_what_is_no_address_with_a_port_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("ACCORD_METRICS_ADDRESS", address)
    assert faults() == ["ACCORD_METRICS_ADDRESS must be an address and a port, such as 127.0.0.1:9100"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:4318/v1/traces", "https://collector.example/v1/traces"])
def test_traces_go_to_a_collectors_address(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    assert Settings().traces_endpoint is None
    monkeypatch.setenv("ACCORD_TRACES_ENDPOINT", url)
    assert Settings().traces_endpoint == url


@pytest.mark.parametrize(
    "url", ["127.0.0.1:4318", "grpc://collector.example", "http://", "https://a:b@collector.example/"]
)
def test_what_is_no_collectors_address_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("ACCORD_TRACES_ENDPOINT", url)
    assert faults() == [
        "ACCORD_TRACES_ENDPOINT must be a collector's URL, such as http://127.0.0.1:4318/v1/traces"
    ]
