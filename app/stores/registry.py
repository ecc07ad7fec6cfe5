"""The registration file (TOML), read and validated: every fault with its place and reason, all at once.

What a registration may say is the domain's business; how it is written down is decided here.
"""

import functools
import re
import secrets
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
)

from app.domain.clusters import DataCluster
from app.domain.language import Bilingual
from app.domain.registry import (
    LONGEST_CONSENT,
    Client,
    DataProvider,
    Registry,
    SandboxCustomer,
    Status,
    fault_in_redirect_uri,
)
from app.domain.tokens import hash_secret

LOGOS = Path(__file__).resolve().parents[2] / "static" / "logos"
LONGEST_NAME = 256
LONGEST_PURPOSE = 1000

# Characters that change how the text around them reads, or that cannot be seen: controls, bidi controls and
# whatever else Unicode lets a page leave out (Default_Ignorable_Code_Point), and the blank of Braille.
_INVISIBLE = re.compile(
    "[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_IDENTIFIER = r"^[A-Za-z0-9._~-]{1,64}$"
_LOGO = r"^[a-z0-9][a-z0-9-]*\.(svg|png|webp)$"


Place = tuple[str | int, ...]
Fault = tuple[Place, str]


class RegistryError(Exception):
    """The registration file has faults. `faults` has a line for each: place, reason."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def new_secret() -> tuple[str, str]:
    """A fresh client secret of 256 random bits, and the hash to register."""
    secret = secrets.token_urlsafe(32)
    return secret, hash_secret(secret)


def read_registry(path: Path, *, allow_demo: bool) -> Registry:
    """The registry in the file at `path`. Raises RegistryError with every fault in it.

    With `allow_demo` false, which is production, demo clients and sandbox sign-in are faults.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except OSError as error:
        raise RegistryError([f"{path}: cannot be read: {error.strerror}"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RegistryError([f"{path}: is not TOML: {error}"]) from error
    faults = [
        *_shape_faults(document),
        *_contradictions(document),
        *([] if allow_demo else _demo_faults(document)),
    ]
    if faults:
        raise RegistryError(
            [f"{path}:{_line(text, place)}: {_named(place, document)}: {why}" for place, why in faults]
        )
    parsed = _File.model_validate(document)
    return Registry(
        clients={entry.client_id: entry.to_client() for entry in parsed.recipients},
        providers={entry.provider_id: entry.to_provider() for entry in parsed.providers},
    )


def _visible(text: str) -> str:
    """`text` on one line, without what cannot be seen: a name must not change what stands around it."""
    seen = " ".join(_INVISIBLE.sub("", " ".join(text.split())).split())
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
    return uri


def _readable_logo(name: str) -> str:
    if not (LOGOS / name).is_file():
        raise ValueError("is not a file under static/logos")
    return name


def _redirect_uri(uri: str) -> str:
    fault = fault_in_redirect_uri(uri)
    if fault is not None:
        raise ValueError(fault)
    return uri


def _whole_set(value: Any) -> Any:
    if isinstance(value, list) and len(value) != len({str(item) for item in value}):
        raise ValueError("names something twice")
    return value


def _with_basic(needs: frozenset[DataCluster]) -> frozenset[DataCluster]:
    if DataCluster.ACCOUNT_BASIC not in needs:
        raise ValueError("must contain ACCOUNT_BASIC")
    return needs


def _among_clusters(value: Any, info: ValidationInfo) -> Any:
    if "clusters" in info.data and not set(value) <= info.data["clusters"]:
        raise ValueError("names a cluster that clusters does not")
    return value


Name = Annotated[str, AfterValidator(_visible), _at_most(LONGEST_NAME)]
PurposeText = Annotated[str, AfterValidator(_visible), _at_most(LONGEST_PURPOSE)]
HttpsAddress = Annotated[str, AfterValidator(_https), Field(max_length=2048)]
RedirectUri = Annotated[str, AfterValidator(_redirect_uri), Field(max_length=2048)]
Logo = Annotated[str, Field(pattern=_LOGO, max_length=64), AfterValidator(_readable_logo)]
Clusters = Annotated[frozenset[DataCluster], BeforeValidator(_whole_set), Field(min_length=1)]
Identifier = Annotated[str, Field(pattern=_IDENTIFIER)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Names(_Entry):
    en: Name
    fr: Name

    def bilingual(self) -> Bilingual:
        return Bilingual(self.en, self.fr)


class _Purpose(_Entry):
    en: PurposeText
    fr: PurposeText

    def bilingual(self) -> Bilingual:
        return Bilingual(self.en, self.fr)


class _Addresses(_Entry):
    en: HttpsAddress
    fr: HttpsAddress

    def bilingual(self) -> Bilingual:
        return Bilingual(self.en, self.fr)


class _Recipient(_Entry):
    client_id: Identifier
    secret_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    demo: bool = False
    suspended: bool = False
    name: _Names
    legal_name: _Names
    agent: _Names | None = None
    site: _Addresses
    privacy_policy: _Addresses
    terms: _Addresses
    logo: Logo | None = None
    redirect_uris: Annotated[
        list[RedirectUri], BeforeValidator(_whole_set), Field(min_length=1, max_length=50)
    ]
    clusters: Clusters
    needs: Annotated[Clusters, AfterValidator(_with_basic), AfterValidator(_among_clusters)]
    allow_subset: bool = True
    purpose: _Purpose | None = None
    cluster_purposes: Annotated[dict[DataCluster, _Purpose], AfterValidator(_among_clusters)] = Field(
        default_factory=dict
    )
    consent_days: Annotated[int, Field(ge=1, le=LONGEST_CONSENT.days)]
    history_months: Annotated[int, Field(ge=1, le=120)] | None = None
    pkce_required: bool = False
    providers: dict[Identifier, Status]

    def to_client(self) -> Client:
        return Client(
            client_id=self.client_id,
            secret_hash=self.secret_sha256,
            is_demo=self.demo,
            is_suspended=self.suspended,
            name=self.name.bilingual(),
            legal_name=self.legal_name.bilingual(),
            agent=None if self.agent is None else self.agent.bilingual(),
            site=self.site.bilingual(),
            privacy_policy=self.privacy_policy.bilingual(),
            terms=self.terms.bilingual(),
            logo=self.logo,
            redirect_uris=frozenset(self.redirect_uris),
            clusters=self.clusters,
            needed_clusters=self.needs,
            allow_subset=self.allow_subset,
            purpose=None if self.purpose is None else self.purpose.bilingual(),
            cluster_purposes={cluster: text.bilingual() for cluster, text in self.cluster_purposes.items()},
            consent_duration=timedelta(days=self.consent_days),
            history_months=self.history_months,
            pkce_required=self.pkce_required,
            statuses=self.providers,
        )


class _SandboxCustomer(_Entry):
    user_name: Annotated[str, Field(min_length=1, max_length=64)]
    password: Annotated[str, Field(min_length=1, max_length=128, repr=False)]
    subject: Identifier
    display_name: Name


class _Provider(_Entry):
    provider_id: Identifier
    name: _Names
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    logo: Logo | None = None
    colour: Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]
    clusters: Clusters
    audience: HttpsAddress
    complaints: _Addresses
    sign_in: Literal["sandbox"]
    customers: list[_SandboxCustomer] = Field(default_factory=list)

    def to_provider(self) -> DataProvider:
        return DataProvider(
            provider_id=self.provider_id,
            name=self.name.bilingual(),
            country=self.country,
            logo=self.logo,
            colour=self.colour,
            clusters=self.clusters,
            audience=self.audience,
            complaints=self.complaints.bilingual(),
            sign_in=self.sign_in,
            sandbox_customers=tuple(SandboxCustomer(**customer.model_dump()) for customer in self.customers),
        )


class _File(_Entry):
    providers: Annotated[list[_Provider], Field(min_length=1)]
    recipients: Annotated[list[_Recipient], Field(min_length=1)]


def _shape_faults(document: dict[str, Any]) -> Iterator[Fault]:
    """Faults that an entry has alone."""
    try:
        _File.model_validate(document)
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            reason = (
                "is missing" if fault["type"] == "missing" else fault["msg"].removeprefix("Value error, ")
            )
            yield fault["loc"], reason


def _contradictions(document: dict[str, Any]) -> Iterator[Fault]:
    """Faults between entries, each of which may read well alone."""
    yield from _repeated(document, ("recipients",), "client_id")
    yield from _repeated(document, ("providers",), "provider_id")
    registered = {str(entry.get("provider_id")) for _, entry in _entries(document, ("providers",))}
    for place, recipient in _entries(document, ("recipients",)):
        statuses = recipient.get("providers")
        for provider_id in statuses if isinstance(statuses, dict) else ():
            if provider_id not in registered:
                yield (*place, "providers", provider_id), "is not a registered provider"
    for place, _ in _entries(document, ("providers",)):
        yield from _repeated(document, (*place, "customers"), "user_name")
        yield from _repeated(document, (*place, "customers"), "subject")


def _demo_faults(document: dict[str, Any]) -> Iterator[Fault]:
    """What only development may have."""
    for place, recipient in _entries(document, ("recipients",)):
        if recipient.get("demo"):
            yield (*place, "demo"), "a demo secret does not work in production"
    for place, provider in _entries(document, ("providers",)):
        if provider.get("sign_in") == "sandbox":
            yield (*place, "sign_in"), "sandbox sign-in does not work in production"


def _repeated(document: dict[str, Any], place: Place, key: str) -> Iterator[Fault]:
    seen: set[Any] = set()
    for entry_place, entry in _entries(document, place):
        value = str(entry.get(key))
        if key in entry and value in seen:
            yield (*entry_place, key), "is registered twice"
        seen.add(value)


def _entries(document: dict[str, Any], place: Place) -> Iterator[tuple[Place, dict[str, Any]]]:
    """The tables in the list at `place`, with their own places; nothing where there is no such list."""
    entries: Any = functools.reduce(_step, place, document)
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict):
            yield (*place, index), entry


def _named(place: Place, document: dict[str, Any]) -> str:
    """`place` in words, entries by their identifiers where they have one."""
    words = ""
    node: Any = document
    for part in place:
        node = _step(node, part)
        if isinstance(part, int):
            entry: dict[str, Any] = node if isinstance(node, dict) else {}
            words += (
                f"[{entry.get('client_id') or entry.get('provider_id') or entry.get('user_name') or part}]"
            )
        else:
            words += f".{part}" if words else part
    return words.encode("unicode_escape").decode("ascii")  # a fault is one line, whatever a name contains


def _line(text: str, place: Place) -> int:
    """The line that `place` is at: that of its key, or else of the entry it belongs to."""
    lines = text.splitlines()
    match place:
        case (str() as table, int() as index, *rest):
            headers = [number for number, line in enumerate(lines) if line.strip().startswith(f"[[{table}]]")]
            if index >= len(headers):
                return 1
            start = headers[index]
            key = re.compile(rf'\s*(\[{table}\.)?"?{re.escape(str(rest[0]))}"?\s*[\]=.]' if rest else r"(?!)")
            for number in range(start + 1, len(lines)):
                if lines[number].lstrip().startswith("[["):
                    break
                if key.match(lines[number]):
                    return number + 1
            return start + 1
        case (str() as name, *_):
            key = re.compile(rf'\s*\[{{0,2}}"?{re.escape(name)}"?\s*[\]=.]')
            return next((number for number, line in enumerate(lines, 1) if key.match(line)), 1)
    return 1


def _step(node: Any, part: Any) -> Any:
    try:
        return node[part]
    except (KeyError, IndexError, TypeError):
        return None
