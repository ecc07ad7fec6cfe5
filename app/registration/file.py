"""Reads and validates the registration file (TOML), and reports all its faults at once.

The rules for the values of a registration are in app/domain/registry.py; this package has the file's format.
"""

import hashlib
import tomllib
from pathlib import Path

from app.domain.registry import Registry
from app.registration.contradictions import contradictions, demo_faults
from app.registration.entries import parse_entries
from app.registration.locations import describe_location, line_of


class RegistryError(Exception):
    """The registration file has faults. `faults` has one line for each: the place in the file, the reason."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def read_registry(path: Path, *, allow_demo: bool) -> Registry:
    """The registry in the file at `path`. Raises RegistryError with every fault in it.

    Without `allow_demo`, in production, demo secrets and sandbox sign-in are faults. A client secret at a
    bank that cannot be read is no fault of the file: only that bank is left out (docs/adr/0018).
    """
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
        parsed, faults = parse_entries(document, logos_beside(path))
    except OSError as error:
        raise RegistryError([f"{path}: cannot be read: {error.strerror}"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RegistryError([f"{path}: is not TOML: {error}"]) from error
    faults += [*contradictions(document), *([] if allow_demo else demo_faults(document))]
    if parsed is None or faults:
        raise RegistryError(
            [
                f"{path}:{line_of(text, location)}: {describe_location(location, document)}: {why}"
                for location, why in faults
            ]
        )
    providers, left_out = {}, {}
    for index, entry in enumerate(parsed.providers):
        providers[entry.provider_id], unreadable = entry.to_provider(allow_demo=allow_demo)
        if unreadable is not None:
            where = ("providers", index, *unreadable.keys)
            left_out[entry.provider_id] = (
                f"{path}:{line_of(text, where)}: {describe_location(where, document)}: {unreadable.reason}"
            )
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
