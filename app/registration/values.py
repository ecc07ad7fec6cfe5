"""The types of the values in an entry of the registration, and the rules that a value must meet."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
)

from app.domain.account_sources import fault_in_address_with_subject
from app.domain.addresses import (
    fault_in_bank_address,
    fault_in_host,
    fault_in_issuer,
    fault_in_notice_address,
    fault_in_redirect_uri,
)
from app.domain.clusters import DataCluster
from app.domain.display_text import printable_line
from app.domain.language import Bilingual
from app.domain.notice_registration import FOR_BANKS, FOR_RECIPIENTS, NoticeType
from app.environment import PREFIX
from app.registration.branding import readable_logo

LONGEST_NAME = 256  # characters: a judgement, and tests render a form with names of this length
LONGEST_PURPOSE = 1000  # characters: the same

_IDENTIFIER = r"^[A-Za-z0-9._~-]{1,64}$"
_SCOPE_WORD = r"^[!#-\[\]-~]{1,128}$"  # RFC 6749 3.3
_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"
_LOGO = r"^[a-z0-9][a-z0-9-]*\.(svg|png|webp)$"


class Entry(BaseModel):
    """A table of the file. Keys that it does not know are faults."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _visible(text: str) -> str:
    """`text` on one line, without invisible characters: a name must not change the page around it."""
    seen = printable_line(text)
    if not seen:
        raise ValueError("has nothing that can be seen")
    return seen


def _at_most(most: int) -> AfterValidator:
    def check_length(text: str) -> str:
        if len(text) > most:
            raise ValueError(f"has more than {most} characters")
        return text

    return AfterValidator(check_length)


def _https(uri: str) -> str:
    parts = urlsplit(uri)
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc:
        raise ValueError("must be an https address")
    fault = fault_in_host(parts)
    if fault is not None:
        raise ValueError(fault)
    return uri


def _redirect_uri(uri: str) -> str:
    fault = fault_in_redirect_uri(uri)
    if fault is not None:
        raise ValueError(fault)
    return uri


def refuse_dot_segment(provider_id: str) -> str:
    """A provider's id is a segment of URLs, and a browser removes the segments `.` and `..`."""
    if provider_id in (".", ".."):
        raise ValueError("must not be . or ..")
    return provider_id


def _issuer(issuer: str) -> str:
    fault = fault_in_issuer(issuer)
    if fault is not None:
        raise ValueError(fault)
    return issuer


def _bank_address(address: str) -> str:
    fault = fault_in_bank_address(address)
    if fault is not None:
        raise ValueError(fault)
    return address


def _notice_address(address: str) -> str:
    fault = fault_in_notice_address(address)
    if fault is not None:
        raise ValueError(fault)
    return address


def _address_with_subject(address: str) -> str:
    fault = fault_in_address_with_subject(address)
    if fault is not None:
        raise ValueError(fault)
    return address


def require_openid(scopes: tuple[str, ...]) -> tuple[str, ...]:
    if "openid" not in scopes:
        raise ValueError("must contain openid")
    return scopes


def _logo(name: str, info: ValidationInfo) -> str:
    return readable_logo(name, info.context)


def _no_setting(name: str) -> str:
    if name.upper().startswith(PREFIX):
        raise ValueError(f"begins with {PREFIX}, as only Accord's own settings do")
    return name


def _absolute(name: str) -> str:
    if not Path(name).is_absolute():
        raise ValueError("must be an absolute path")
    return name


def require_time_zone(value: Any) -> Any:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError(
            "must be a moment with its zone, such as 2026-12-31T12:00:00Z, without quotation marks"
        )
    return value


def refuse_repetition(value: Any) -> Any:
    if isinstance(value, list) and len(value) != len({str(item) for item in value}):
        raise ValueError("names something twice")
    return value


def require_account_basic(needs: frozenset[DataCluster]) -> frozenset[DataCluster]:
    if DataCluster.ACCOUNT_BASIC not in needs:
        raise ValueError("must contain ACCOUNT_BASIC")
    return needs


def require_end_of_consent(events: frozenset[NoticeType]) -> frozenset[NoticeType]:
    """CONSENT_REVOKED is mandatory: every receiver must learn that a customer has withdrawn."""
    if NoticeType.CONSENT_REVOKED not in events:
        raise ValueError("must contain CONSENT_REVOKED")
    return events


def refuse_events_of_banks(events: frozenset[NoticeType]) -> frozenset[NoticeType]:
    return _require_among(FOR_RECIPIENTS, events, "banks")


def refuse_events_of_recipients(events: frozenset[NoticeType]) -> frozenset[NoticeType]:
    return _require_among(FOR_BANKS, events, "recipients")


def _require_among(
    possible: frozenset[NoticeType], events: frozenset[NoticeType], others: str
) -> frozenset[NoticeType]:
    """Raises ValueError for an event that is not `possible`, and of which the `others` alone are told."""
    refused = sorted(events - possible)
    if refused:
        raise ValueError(f"{refused[0]} is told to {others} alone")
    return events


def require_registered_clusters(value: Any, info: ValidationInfo) -> Any:
    if "clusters" in info.data and not set(value) <= info.data["clusters"]:
        raise ValueError("names a cluster that clusters does not")
    return value


Name = Annotated[str, AfterValidator(_visible), _at_most(LONGEST_NAME)]
PurposeText = Annotated[str, AfterValidator(_visible), _at_most(LONGEST_PURPOSE)]
HttpsAddress = Annotated[str, AfterValidator(_https), Field(max_length=2048)]
RedirectUri = Annotated[str, AfterValidator(_redirect_uri), Field(max_length=2048)]
Logo = Annotated[str, Field(pattern=_LOGO, max_length=64), AfterValidator(_logo)]
Clusters = Annotated[frozenset[DataCluster], BeforeValidator(refuse_repetition), Field(min_length=1)]
Identifier = Annotated[str, Field(pattern=_IDENTIFIER)]
Issuer = Annotated[str, AfterValidator(_issuer), Field(max_length=2048)]
Audience = Issuer  # an API is named by its address, too (RFC 9068 2.2), which in development may be http
BankAddress = Annotated[str, AfterValidator(_bank_address), Field(max_length=2048)]
NoticeAddress = Annotated[str, AfterValidator(_notice_address), Field(max_length=2048)]
AddressWithSubject = Annotated[str, AfterValidator(_address_with_subject), Field(max_length=2048)]
ScopeWord = Annotated[str, Field(pattern=_SCOPE_WORD)]
Variable = Annotated[str, Field(pattern=_VARIABLE), AfterValidator(_no_setting)]
FilePath = Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_absolute)]
SecretHash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Names(Entry):
    """A name in every language."""

    en: Name
    fr: Name

    def bilingual(self) -> Bilingual:
        return Bilingual(self.en, self.fr)


class Addresses(Entry):
    """An address for every language."""

    en: HttpsAddress
    fr: HttpsAddress

    def bilingual(self) -> Bilingual:
        return Bilingual(self.en, self.fr)
