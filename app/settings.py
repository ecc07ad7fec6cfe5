"""The settings, with their types, from environment variables. All faults in them are reported at once.

Production is the default: only `ACCORD_ENVIRONMENT=development` allows http on loopback, demo credentials
and sandbox sign-in.
"""

import os
import re
import stat
from collections.abc import Iterable, Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    IPvAnyNetwork,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.domain.networks import LOOPBACK, Network
from app.environment import PREFIX, SECRETS, unknown_variables, value_from_file

SHORTEST_SECRET_KEY = 32  # characters: 128 bits, in hexadecimal
FEWEST_CHARACTERS = 8  # different ones, a judgement: 32 random hexadecimal digits nearly always have more

_LOOPBACK = ("localhost", "127.0.0.1")
# An IPv6 address cannot be an origin here, since Werkzeug's TRUSTED_HOSTS does not take one.
_ORIGIN = re.compile(r"https?://[A-Za-z0-9._-]+(:[0-9]{1,5})?/?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)


class ConfigurationError(Exception):
    """The configuration is incomplete or wrong. The text has one line for each fault.

    `sound` has the text of every setting that has no fault, by its field of Settings.
    """

    def __init__(self, text: str, sound: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__(text)
        self.sound = sound


class Environment(StrEnum):
    DEVELOPMENT = "development"
    PRODUCTION = "production"


def _split(text: Any) -> Any:
    return tuple(part.strip() for part in text.split(",") if part.strip()) if isinstance(text, str) else text


def _seconds(value: Any) -> Any:
    if not isinstance(value, str) or _NUMBER.fullmatch(value.strip()) is None:
        return value
    try:
        return timedelta(seconds=float(value))
    except OverflowError as error:
        raise ValueError("is too long") from error


def _file(path: Path) -> Path:
    """Checks that `path` is a readable regular file. The module that reads it checks the content."""
    try:
        status = path.stat()
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("is no file")
    return path


def _long_enough(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value().strip()
    if len(text.encode()) < SHORTEST_SECRET_KEY:
        raise ValueError(f"must have at least {SHORTEST_SECRET_KEY} bytes")
    # A random key has many different characters, in every notation, and is no repetition of a shorter text.
    if len(set(text)) < FEWEST_CHARACTERS or text in (text + text)[1:-1]:
        raise ValueError("can be guessed: it has too few different characters, or repeats itself")
    return secret


def _one_for_each_thread(known: dict[str, Any]) -> int:
    """One connection for each request that runs, and two for `/readyz`, which does not queue."""
    return int(known["threads"]) + 2


def _half_the_threads(known: dict[str, Any]) -> int:
    return max(1, int(known["threads"]) // 2)


def _time_zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("must be a time zone of the IANA database, such as America/Toronto") from error


def _socket_address(address: str) -> str:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError("must be an address and a port, such as 127.0.0.1:9100")
    return address


def _collector(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise ValueError("must be a collector's URL, such as http://127.0.0.1:4318/v1/traces")
    return url


def _origin(issuer: str) -> str:
    if _ORIGIN.fullmatch(issuer) is None:
        raise ValueError("must be a bare origin, such as https://consent.bank.example")
    _ = urlsplit(issuer).port  # raises ValueError for a number that is no port
    return issuer.removesuffix("/")


SecretKey = Annotated[SecretStr, AfterValidator(_long_enough)]
Seconds = Annotated[timedelta, BeforeValidator(_seconds), Field(gt=timedelta(0))]
CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class Settings(BaseSettings):
    """The configuration of one process. Raises ConfigurationError with every fault in it."""

    model_config = SettingsConfigDict(
        alias_generator=lambda field: f"{PREFIX}{field.upper()}",
        case_sensitive=True,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    environment: Environment = Environment.PRODUCTION
    issuer: Annotated[str, AfterValidator(_origin)]
    redis_url: SecretStr
    ledger_url: SecretStr
    registry: Annotated[Path, AfterValidator(_file)]
    signing_keys: Annotated[Path, AfterValidator(_file)]
    secret_key: SecretKey = Field(validation_alias="SECRET_KEY")
    secret_key_fallbacks: Annotated[tuple[SecretKey, ...], NoDecode, BeforeValidator(_split)] = Field(
        default=(), validation_alias="SECRET_KEY_FALLBACKS"
    )
    trusted_hosts: CommaSeparated = ()
    trusted_proxies: Annotated[tuple[IPvAnyNetwork, ...], NoDecode, BeforeValidator(_split)] = ()
    notice_networks: Annotated[tuple[IPvAnyNetwork, ...], NoDecode, BeforeValidator(_split)] = ()
    request_lifetime: Annotated[Seconds, Field(le=timedelta(hours=1))] = timedelta(minutes=15)
    # Less than ten minutes (FAPI 2.0 Security Profile 5.3.2.2-12).
    pushed_lifetime: Annotated[Seconds, Field(ge=timedelta(seconds=5), lt=timedelta(seconds=600))] = (
        timedelta(seconds=90)
    )
    code_lifetime: Annotated[Seconds, Field(le=timedelta(seconds=600))] = timedelta(seconds=60)
    access_token_lifetime: Annotated[Seconds, Field(le=timedelta(hours=1))] = timedelta(minutes=5)
    refresh_token_idle: Annotated[Seconds, Field(le=timedelta(days=365))] = timedelta(days=30)
    # For `flask ledger expire`. A notice that does not arrive is tried for a week: another is left to renew.
    renewal_days: Annotated[int, Field(ge=1, le=90)] = 14
    session_idle: Annotated[Seconds, Field(le=timedelta(hours=8))] = timedelta(minutes=30)
    session_absolute: Annotated[Seconds, Field(le=timedelta(hours=24))] = timedelta(hours=8)
    sign_in_window: Annotated[Seconds, Field(le=timedelta(hours=1))] = timedelta(minutes=5)
    # A page that waits for both stores, one after the other, is still answered within two seconds.
    store_timeout: Annotated[Seconds, Field(le=timedelta(seconds=2))] = timedelta(seconds=0.9)
    threads: Annotated[int, Field(ge=1, le=64)] = 8
    ledger_connections: Annotated[int, Field(ge=1, le=1000, default_factory=_one_for_each_thread)]
    bank_timeout: Annotated[Seconds, Field(le=timedelta(seconds=5))] = timedelta(seconds=1.8)
    bank_waiting: Annotated[int, Field(ge=1, le=100, default_factory=_half_the_threads)]
    address_rate: Annotated[int, Field(ge=0)] = 1200
    authorize_rate: Annotated[int, Field(ge=0)] = 600
    token_rate: Annotated[int, Field(ge=0)] = 6000
    wrong_secrets: Annotated[int, Field(ge=0)] = 100
    metrics_address: Annotated[str, AfterValidator(_socket_address)] | None = None
    traces_endpoint: Annotated[str, AfterValidator(_collector)] | None = None
    time_zone: Annotated[str, AfterValidator(_time_zone)] = "America/Toronto"
    recipient_port: int = 8001

    def __init__(self, **values: Any) -> None:
        faults = list(unknown_variables(map(variable_name, Settings.model_fields)))
        for name in SECRETS:
            field = next(field for field in Settings.model_fields if variable_name(field) == name)
            try:
                text = value_from_file(name)
            except ValueError as error:
                faults.append(str(error))
                continue
            if text is not None:
                values.setdefault(field, text)
        said_of = {fault.split()[0].removesuffix("_FILE") for fault in faults}
        try:
            super().__init__(**values)
        except ValidationError as error:
            faults += [fault for fault in _explain(error) if fault.split()[0] not in said_of]
        if faults:
            raise ConfigurationError("\n".join(faults), _sound(values, faults))

    @field_validator("issuer")
    @classmethod
    def _development_is_on_loopback_and_http_only_there(cls, issuer: str, info: ValidationInfo) -> str:
        is_on_loopback = urlsplit(issuer).hostname in _LOOPBACK
        if info.data.get("environment") is Environment.DEVELOPMENT:
            if not is_on_loopback:
                raise ValueError("must be on loopback in development, where demo secrets are accepted")
        elif not issuer.startswith("https://"):
            raise ValueError("must be https outside development")
        return issuer

    @field_validator("bank_waiting")
    @classmethod
    def _a_bank_that_hangs_leaves_a_thread(cls, waiting: int, info: ValidationInfo) -> int:
        # With a single thread there is no other request that could be served meanwhile.
        if waiting > max(1, info.data.get("threads", waiting + 1) - 1):
            raise ValueError("must be less than ACCORD_THREADS")
        return waiting

    @property
    def is_development(self) -> bool:
        return self.environment is Environment.DEVELOPMENT

    @property
    def is_https(self) -> bool:
        return self.issuer.startswith("https://")

    @property
    def metrics_port(self) -> int | None:
        """The port that serves the metrics and nothing else; None where there are no metrics."""
        return None if self.metrics_address is None else int(self.metrics_address.rpartition(":")[2])

    @property
    def networks_of_recipients(self) -> tuple[Network, ...]:
        """Where recipients' servers may be beside the internet; in development also on this machine."""
        return (*self.notice_networks, *(LOOPBACK if self.is_development else ()))

    @property
    def address_rate_in_force(self) -> int:
        return self._limit("address_rate")

    @property
    def authorize_rate_in_force(self) -> int:
        return self._limit("authorize_rate")

    @property
    def token_rate_in_force(self) -> int:
        return self._limit("token_rate")

    @property
    def wrong_secrets_in_force(self) -> int:
        return self._limit("wrong_secrets")

    def was_set(self, field: str) -> bool:
        """Whether the setting is in the environment, even where its value equals the default."""
        return field in self.model_fields_set

    def _limit(self, field: str) -> int:
        """The limit, 0 for none. In development only limits that were set apply."""
        if self.is_development and not self.was_set(field):
            return 0
        limit: int = getattr(self, field)
        return limit

    @property
    def secret_keys(self) -> list[str]:
        """All keys whose signatures are valid, from the oldest to the one that signs now."""
        return [key.get_secret_value() for key in (*reversed(self.secret_key_fallbacks), self.secret_key)]

    @property
    def hosts(self) -> list[str]:
        """The names that a request's Host header may have. Every other name is answered with 400."""
        own = urlsplit(self.issuer).hostname or ""
        loopback = _LOOPBACK if self.is_development else ()
        return list(dict.fromkeys((own, *self.trusted_hosts, *loopback)))


def variable_name(field: str) -> str:
    """The environment variable that sets `field`."""
    alias = Settings.model_fields[field].validation_alias
    return alias if isinstance(alias, str) else f"ACCORD_{field.upper()}"


def _sound(values: Mapping[str, Any], faults: Iterable[str]) -> dict[str, str]:
    at_fault = {fault.split()[0].removesuffix("_FILE") for fault in faults}
    given = {
        field: str(values.get(field) or os.environ.get(variable_name(field)) or "")
        for field in Settings.model_fields
    }
    return {field: text for field, text in given.items() if text and variable_name(field) not in at_fault}


def _explain(error: ValidationError) -> list[str]:
    lines = []
    for fault in error.errors(include_url=False, include_input=False):
        if fault["type"] == "default_factory_not_called":
            continue  # pydantic's own note that another setting has a fault
        place = [str(part) for part in fault["loc"]]
        name = place[0] if place else ""
        if name in Settings.model_fields:
            name = variable_name(name)
        reason = "is missing" if fault["type"] == "missing" else fault["msg"].removeprefix("Value error, ")
        lines.append(f"{name} {reason}".strip())
    return lines
