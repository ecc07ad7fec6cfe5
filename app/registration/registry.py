"""The registration file (TOML), read and validated: every fault with its place and reason, all at once.

What a registration may say is the domain's business; how it is written down is decided here.
"""

import functools
import hashlib
import re
import secrets
import tomllib
from collections.abc import Iterator
from datetime import datetime, timedelta
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
from pydantic_core import ErrorDetails

from app.domain.clusters import DataCluster
from app.domain.display_text import printable_line
from app.domain.language import Bilingual
from app.domain.registry import (
    LONGEST_CONSENT,
    Client,
    DataProvider,
    OidcRegistration,
    PreviousSecret,
    Registry,
    ResourceServer,
    SandboxCustomer,
    Status,
    Trouble,
    fault_in_issuer,
    fault_in_redirect_uri,
)
from app.domain.tokens import hash_secret
from app.environment import PREFIX
from app.registration.bank_secrets import secret_in_file, secret_in_variable
from app.registration.branding import readable_colour, readable_logo

LONGEST_NAME = 256
LONGEST_PURPOSE = 1000

DEMO_HASHES = frozenset(
    hash_secret(f"{name}-demo-secret")
    for name in ("budget", "loans", "own-app", "maple-api", "northern-api", "harbour-api", "harbour")
)
"""Of the secrets in registry/demo.toml, which everybody knows, whatever a file says that they are."""

_IDENTIFIERS = ("client_id", "provider_id", "server_id", "user_name")
_IDENTIFIER = r"^[A-Za-z0-9._~-]{1,64}$"
_SCOPE_WORD = r"^[!#-\[\]-~]{1,128}$"  # RFC 6749 3.3
_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"
_LOGO = r"^[a-z0-9][a-z0-9-]*\.(svg|png|webp)$"


Place = tuple[str | int, ...]
Fault = tuple[Place, str]


_PLACES_OF_A_BANK_SECRET = {"client_secret_env", "client_secret_file", "demo_client_secret"}


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

    With `allow_demo` false, which is production, demo clients and sandbox sign-in are faults. A secret that
    cannot be read, in a file or a variable that a provider names, is that provider's own: it is left out.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
        parsed, faults = _parse(document, logos_beside(path))
    except OSError as error:
        raise RegistryError([f"{path}: cannot be read: {error.strerror}"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RegistryError([f"{path}: is not TOML: {error}"]) from error
    faults += [*_contradictions(document), *([] if allow_demo else _demo_faults(document))]
    if parsed is None or faults:
        raise RegistryError(
            [f"{path}:{_line(text, place)}: {_named(place, document)}: {why}" for place, why in faults]
        )
    providers, left_out = {}, {}
    for index, entry in enumerate(parsed.providers):
        providers[entry.provider_id], unreadable = entry.to_provider(allow_demo=allow_demo)
        if unreadable is not None:
            where, why = ("providers", index, "oidc", unreadable[0]), unreadable[1]
            left_out[entry.provider_id] = f"{path}:{_line(text, where)}: {_named(where, document)}: {why}"
    return Registry(
        clients={entry.client_id: entry.to_client() for entry in parsed.recipients},
        providers=providers,
        resource_servers={entry.server_id: entry.to_resource_server() for entry in parsed.resource_servers},
        digest=hashlib.sha256(text.encode()).hexdigest()[:12],
        left_out=left_out,
    )


def logos_beside(path: Path) -> Path:
    """The folder for the logos of the registration file at `path`."""
    return path.parent / "logos"


def _visible(text: str) -> str:
    """`text` on one line, without what cannot be seen: a name must not change what stands around it."""
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
    return uri


def _redirect_uri(uri: str) -> str:
    fault = fault_in_redirect_uri(uri)
    if fault is not None:
        raise ValueError(fault)
    return uri


def _path_segment(provider_id: str) -> str:
    """A provider's id is a part of addresses, from which a browser would remove these."""
    if provider_id in (".", ".."):
        raise ValueError("must not be . or ..")
    return provider_id


def _issuer(issuer: str) -> str:
    fault = fault_in_issuer(issuer)
    if fault is not None:
        raise ValueError(fault)
    return issuer


def _with_openid(scopes: tuple[str, ...]) -> tuple[str, ...]:
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


def _moment(value: Any) -> Any:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError(
            "must be a moment with its zone, such as 2026-12-31T12:00:00Z, without quotation marks"
        )
    return value


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
Logo = Annotated[str, Field(pattern=_LOGO, max_length=64), AfterValidator(_logo)]
Clusters = Annotated[frozenset[DataCluster], BeforeValidator(_whole_set), Field(min_length=1)]
Identifier = Annotated[str, Field(pattern=_IDENTIFIER)]
Issuer = Annotated[str, AfterValidator(_issuer), Field(max_length=2048)]
ScopeWord = Annotated[str, Field(pattern=_SCOPE_WORD)]
Variable = Annotated[str, Field(pattern=_VARIABLE), AfterValidator(_no_setting)]
FilePath = Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_absolute)]
SecretHash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


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


class _PreviousSecret(_Entry):
    sha256: SecretHash
    until: Annotated[datetime, BeforeValidator(_moment)]

    def to_secret(self) -> PreviousSecret:
        return PreviousSecret(self.sha256, self.until)


class _Recipient(_Entry):
    client_id: Identifier
    secret_sha256: SecretHash
    previous_secret: _PreviousSecret | None = None
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
    revocation_requires_client_authentication: bool = False
    providers: dict[Identifier, Status]

    def to_client(self) -> Client:
        return Client(
            client_id=self.client_id,
            secret_hash=self.secret_sha256,
            previous_secret=None if self.previous_secret is None else self.previous_secret.to_secret(),
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
            revocation_requires_client_authentication=self.revocation_requires_client_authentication,
            statuses=self.providers,
        )


class _SandboxCustomer(_Entry):
    user_name: Annotated[str, Field(min_length=1, max_length=64)]
    password: Annotated[str, Field(min_length=1, max_length=128, repr=False)]
    subject: Identifier
    display_name: Name
    trouble: Trouble | None = None


class _Oidc(_Entry):
    """A bank's OpenID Connect server. Only a demo's secret is in the registration file itself."""

    issuer: Issuer
    client_id: Annotated[str, Field(min_length=1, max_length=256)]
    client_secret_env: Variable | None = None
    client_secret_file: FilePath | None = None
    demo_client_secret: Annotated[str | None, Field(min_length=1, max_length=256, repr=False)] = None
    scopes: Annotated[
        tuple[ScopeWord, ...],
        BeforeValidator(_whole_set),
        AfterValidator(_with_openid),
        Field(max_length=20),
    ] = ("openid", "profile")
    former_issuers: Annotated[frozenset[Issuer], BeforeValidator(_whole_set), Field(max_length=20)] = (
        frozenset()
    )

    def to_registration(self, client_secret: str) -> OidcRegistration:
        return OidcRegistration(
            issuer=self.issuer,
            client_id=self.client_id,
            client_secret=client_secret,
            scopes=self.scopes,
            former_issuers=self.former_issuers,
        )

    def read_secret(self, *, allow_demo: bool) -> tuple[str, tuple[str, str] | None]:
        """The secret; where there is none, the key that is at fault, and why."""
        if self.demo_client_secret is not None:
            return self.demo_client_secret, None
        key = "client_secret_env" if self.client_secret_file is None else "client_secret_file"
        try:
            if self.client_secret_file is not None:
                secret = secret_in_file(self.client_secret_file)
            else:
                secret = secret_in_variable(self.client_secret_env or "")
        except ValueError as error:
            return "", (key, str(error))
        if not allow_demo and hash_secret(secret) in DEMO_HASHES:
            return "", (key, "a demo secret does not work in production")
        return secret, None


class _Provider(_Entry):
    provider_id: Annotated[Identifier, AfterValidator(_path_segment)]
    name: _Names
    legal_name: _Names | None = None
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    logo: Logo | None = None
    colour: Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$"), AfterValidator(readable_colour)]
    clusters: Clusters
    audience: HttpsAddress
    complaints: _Addresses
    sign_in: Literal["sandbox", "oidc"]
    customers: list[_SandboxCustomer] = Field(default_factory=list)
    oidc: _Oidc | None = None

    def to_provider(self, *, allow_demo: bool) -> tuple[DataProvider, tuple[str, str] | None]:
        """The provider; and where it is left out, what of its sign-in is at fault, and why."""
        secret, unreadable = ("", None) if self.oidc is None else self.oidc.read_secret(allow_demo=allow_demo)
        provider = DataProvider(
            provider_id=self.provider_id,
            name=self.name.bilingual(),
            legal_name=None if self.legal_name is None else self.legal_name.bilingual(),
            logo=self.logo,
            colour=self.colour,
            clusters=self.clusters,
            audience=self.audience,
            complaints=self.complaints.bilingual(),
            sandbox_customers=tuple(SandboxCustomer(**customer.model_dump()) for customer in self.customers),
            oidc=None if self.oidc is None else self.oidc.to_registration(secret),
            is_left_out=unreadable is not None,
        )
        return provider, unreadable


class _ResourceServer(_Entry):
    server_id: Identifier
    secret_sha256: SecretHash
    previous_secret: _PreviousSecret | None = None
    demo: bool = False
    audience: HttpsAddress

    def to_resource_server(self) -> ResourceServer:
        return ResourceServer(
            server_id=self.server_id,
            secret_hash=self.secret_sha256,
            previous_secret=None if self.previous_secret is None else self.previous_secret.to_secret(),
            audience=self.audience,
        )


class _File(_Entry):
    providers: Annotated[list[_Provider], Field(min_length=1)]
    recipients: Annotated[list[_Recipient], Field(min_length=1)]
    resource_servers: list[_ResourceServer] = Field(default_factory=list)


def _parse(document: dict[str, Any], logos: Path) -> tuple[_File | None, list[Fault]]:
    """What it says, with what is in the files that it names; or the faults that an entry has alone."""
    try:
        return _File.model_validate(document, context=logos), []
    except ValidationError as error:
        return None, [(fault["loc"], _reason(fault)) for fault in error.errors(include_url=False)]


# What is at fault, in the words of this file rather than in those of the library that found it.
_REASONS = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "string_type": "must be a text",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "frozen_set_type": "must be a list",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "string_pattern_mismatch": "must be of the form {pattern}",
    "string_too_short": "must have at least {min_length} character",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have at least {min_length} entry",
    "too_long": "must have at most {max_length} entries",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "literal_error": "must be one of {expected}",
    "enum": "must be one of {expected}",
}


def _reason(fault: ErrorDetails) -> str:
    reason = _REASONS.get(fault["type"])
    return (
        fault["msg"].removeprefix("Value error, ")
        if reason is None
        else reason.format(**fault.get("ctx", {}))
    )


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
    for place, provider in _entries(document, ("providers",)):
        yield from _repeated(document, (*place, "customers"), "user_name")
        yield from _repeated(document, (*place, "customers"), "subject")
        yield from _sign_in_faults(place, provider)
    yield from _resource_server_contradictions(document)


def _resource_server_contradictions(document: dict[str, Any]) -> Iterator[Fault]:
    """Both authenticate at one endpoint, so that one identifier must not stand for two parties."""
    yield from _repeated(document, ("resource_servers",), "server_id")
    clients = {str(entry.get("client_id")) for _, entry in _entries(document, ("recipients",))}
    audiences = {str(entry.get("audience")) for _, entry in _entries(document, ("providers",))}
    for place, server in _entries(document, ("resource_servers",)):
        if "server_id" in server and str(server["server_id"]) in clients:
            yield (*place, "server_id"), "is the client_id of a recipient"
        if "audience" in server and str(server["audience"]) not in audiences:
            yield (*place, "audience"), "is the audience of no registered provider"


def _sign_in_faults(place: Place, provider: dict[str, Any]) -> Iterator[Fault]:
    """Each way to sign in has its own part of an entry, and only that."""
    is_oidc = provider.get("sign_in") == "oidc"
    oidc = provider.get("oidc")
    if is_oidc and oidc is None:
        yield (*place, "oidc"), 'is missing, which sign_in = "oidc" needs'
    if is_oidc and "customers" in provider:
        yield (*place, "customers"), 'belongs to sign_in = "sandbox"'
    if not is_oidc and oidc is not None:
        yield (*place, "oidc"), 'belongs to sign_in = "oidc"'
    if isinstance(oidc, dict) and len(_PLACES_OF_A_BANK_SECRET & oidc.keys()) != 1:
        yield (*place, "oidc"), "must have either client_secret_env or client_secret_file"


def _demo_faults(document: dict[str, Any]) -> Iterator[Fault]:
    """What only development may have."""
    for table in ("recipients", "resource_servers"):
        for place, entry in _entries(document, (table,)):
            if entry.get("demo"):
                yield (*place, "demo"), "a demo secret does not work in production"
            elif entry.get("secret_sha256") in DEMO_HASHES:
                yield (*place, "secret_sha256"), "a demo secret does not work in production"
            previous = entry.get("previous_secret")
            if isinstance(previous, dict) and previous.get("sha256") in DEMO_HASHES:
                yield (*place, "previous_secret"), "a demo secret does not work in production"
    for place, provider in _entries(document, ("providers",)):
        if provider.get("sign_in") == "sandbox":
            yield (*place, "sign_in"), "sandbox sign-in does not work in production"
        oidc = provider.get("oidc")
        if isinstance(oidc, dict) and str(oidc.get("issuer")).lower().startswith("http:"):
            yield (*place, "oidc", "issuer"), "http does not work in production"
        if isinstance(oidc, dict) and "demo_client_secret" in oidc:
            yield (*place, "oidc", "demo_client_secret"), "a demo secret does not work in production"


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
            words += f"[{next((entry[name] for name in _IDENTIFIERS if entry.get(name)), part)}]"
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
