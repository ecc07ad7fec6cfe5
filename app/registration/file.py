"""The registration file (TOML), read and validated: every fault with its place and reason, all at once.

What a registration may say is the domain's business; how it is written down is decided here.
"""

import hashlib
import tomllib
from pathlib import Path

from app.domain.registry import (
    Registry,
)
from app.registration.contradictions import contradictions, demo_faults
from app.registration.entries import parse
from app.registration.places import line_of, named


class RegistryError(Exception):
    """The registration file has faults. `faults` has a line for each: place, reason."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def read_registry(path: Path, *, allow_demo: bool) -> Registry:
    """The registry in the file at `path`. Raises RegistryError with every fault in it.

    With `allow_demo` false, which is production, demo clients and sandbox sign-in are faults. A secret that
    cannot be read, in a file or a variable that a provider names, is that provider's own: it is left out.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
        parsed, faults = parse(document, logos_beside(path))
    except OSError as error:
        raise RegistryError([f"{path}: cannot be read: {error.strerror}"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RegistryError([f"{path}: is not TOML: {error}"]) from error
    faults += [*contradictions(document), *([] if allow_demo else demo_faults(document))]
    if parsed is None or faults:
        raise RegistryError(
            [f"{path}:{line_of(text, place)}: {named(place, document)}: {why}" for place, why in faults]
        )
    providers, left_out = {}, {}
    for index, entry in enumerate(parsed.providers):
        providers[entry.provider_id], unreadable = entry.to_provider(allow_demo=allow_demo)
        if unreadable is not None:
            where, why = ("providers", index, "oidc", unreadable[0]), unreadable[1]
            left_out[entry.provider_id] = f"{path}:{line_of(text, where)}: {named(where, document)}: {why}"
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
