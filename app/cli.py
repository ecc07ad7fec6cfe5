"""Commands for operators: `flask registry`, `ledger`, `keys`, `demo`. None needs a running server."""

from pathlib import Path

import click

from app.stores import keys as key_store
from app.stores import ledger as ledger_store
from app.stores.registry import RegistryError, new_secret, read_registry


@click.group()
def registry() -> None:
    """The registration file of recipients and providers."""


@registry.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--development", is_flag=True, help="Allow demo secrets and sandbox sign-in.")
def check(file: Path, development: bool) -> None:
    """Says every fault in FILE, with its line and reason."""
    try:
        found = read_registry(file, allow_demo=development)
    except RegistryError as error:
        for fault in error.faults:
            click.echo(fault, err=True)
        raise SystemExit(1) from None
    click.echo(f"{file}: {len(found.clients)} recipients and {len(found.providers)} providers, no fault")


@registry.command()
def secret() -> None:
    """Makes a client secret; only the hash goes into the file."""
    made, hashed = new_secret()
    click.echo(f"secret for the recipient, shown once: {made}")
    click.echo(f'secret_sha256 = "{hashed}"')


@click.group()
def ledger() -> None:
    """The ledger's database."""


@ledger.command()
@click.option("--url", envvar="ACCORD_LEDGER_URL", required=True, help="ACCORD_LEDGER_URL")
def upgrade(url: str) -> None:
    """Brings the ledger to the newest schema."""
    ledger_store.upgrade(url)
    click.echo("the ledger is up to date")


@click.group()
def keys() -> None:
    """The keys that sign access tokens."""


@keys.command()
@click.argument("file", type=click.Path(path_type=Path))
def generate(file: Path) -> None:
    """Writes a new ES256 key to FILE, which must not exist yet."""
    try:
        key_store.generate_signing_keys(file)
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from error
    click.echo(f"{file}: one signing key, for the owner's eyes only")


@click.command()
def demo() -> None:
    """Everything on this machine, to try it: stores, server and an example recipient."""
    from app.demo import run_demo  # needs what only development installs

    raise SystemExit(run_demo())
