"""The entries of the registration file as pydantic models, which find the faults within one entry."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from app.domain.registry import ResourceServer
from app.registration.accounts import without_ways
from app.registration.bank_entry import BankEntry
from app.registration.locations import Fault
from app.registration.reasons import reason_of
from app.registration.recipient_entry import PreviousSecretEntry, RecipientEntry
from app.registration.values import Audience, Entry, Identifier, SecretHash


class _ResourceServer(Entry):
    server_id: Identifier
    secret_sha256: SecretHash
    previous_secret: PreviousSecretEntry | None = None
    demo: bool = False
    audience: Audience

    def to_resource_server(self) -> ResourceServer:
        return ResourceServer(
            server_id=self.server_id,
            secret_hash=self.secret_sha256,
            previous_secret=None if self.previous_secret is None else self.previous_secret.to_secret(),
            audience=self.audience,
        )


class _File(Entry):
    providers: Annotated[list[BankEntry], Field(min_length=1)]
    recipients: Annotated[list[RecipientEntry], Field(min_length=1)]
    resource_servers: list[_ResourceServer] = Field(default_factory=list)


def parse_entries(document: dict[str, Any], logos: Path) -> tuple[_File | None, list[Fault]]:
    """The entries of `document`, the parsed TOML file, and no faults; or None and the faults.

    `logos` is the folder of the registered logos.
    """
    try:
        return _File.model_validate(document, context=logos), []
    except ValidationError as error:
        return None, [
            (without_ways(fault["loc"]), reason_of(fault)) for fault in error.errors(include_url=False)
        ]
