"""Commands that need no server and no store: `flask registry`, `catalogues`, `keys` and `demo`."""

import os
from importlib.metadata import version
from pathlib import Path

import click

from app.clock import utc_now
from app.domain.language import Language
from app.domain.registry_changes import changes_between
from app.journal import record_operation
from app.settings import ConfigurationError, Environment
from app.stores import keys as key_store
from app.stores.registry import RegistryError, new_secret, read_registry


@click.group()
def registry() -> None:
    """The registration file of recipients and providers."""


@registry.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--production/--development",
    "in_production",
    default=None,
    help="Whether demo secrets and sandbox sign-in are faults. Without it ACCORD_ENVIRONMENT decides.",
)
def check(file: Path, in_production: bool | None) -> None:
    """Says every fault in FILE, with its line and reason.

    Where neither an option nor ACCORD_ENVIRONMENT says what the file is for, what would be a fault in
    production only is said, too, but does not fail the check.
    """
    environment = os.environ.get("ACCORD_ENVIRONMENT")
    if in_production is None and environment:
        in_production = environment != Environment.DEVELOPMENT
    try:
        found = read_registry(file, allow_demo=not in_production)
        faults = list(found.left_out.values())
    except RegistryError as error:
        faults = error.faults
    for fault in faults:
        click.echo(fault, err=True)
    if faults:
        raise SystemExit(1)
    if in_production is None:
        _say_what_production_would_refuse(file)
    click.echo(f"{file}: {found.in_numbers()}, no fault")


def _say_what_production_would_refuse(file: Path) -> None:
    try:
        read_registry(file, allow_demo=False)
    except RegistryError as error:
        for fault in error.faults:
            click.echo(f"in production: {fault}", err=True)


@registry.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
def diff(old: Path, new: Path) -> None:
    """Says in words what NEW would change for customers, recipients and banks' APIs."""
    try:
        changed = changes_between(*(read_registry(file, allow_demo=True) for file in (old, new)))
    except RegistryError as error:
        for fault in error.faults:
            click.echo(fault, err=True)
        raise SystemExit(1) from None
    for line in changed:
        click.echo(line)
    click.echo(f"{len(changed)} changes" if len(changed) != 1 else "1 change")


@registry.command()
def secret() -> None:
    """Makes a client secret; only the hash goes into the file."""
    made, hashed = new_secret()
    click.echo(f"secret for the recipient, shown once: {made}")
    click.echo(f'secret_sha256 = "{hashed}"')


@click.group()
def catalogues() -> None:
    """The texts of the pages in every language."""


@catalogues.command(name="check")
@click.argument(
    "folder",
    type=click.Path(path_type=Path),
    default=Path(__file__).resolve().parent.parent / "translations",
)
def check_catalogues(folder: Path) -> None:
    """Says every fault for which a server would not start with the texts of FOLDER."""
    from app.web.catalogues import PublishedCatalogues  # slow to import

    try:
        version = PublishedCatalogues(folder).version()
    except ConfigurationError as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from None
    click.echo(f"{folder}: every text in {len(Language)} languages, version {version}")


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


@keys.command()
@click.argument("file", type=click.Path(path_type=Path))
def rotate(file: Path) -> None:
    """Puts a new key first in FILE: published now, signing in ten minutes, without a restart.

    The keys before it stay published until the tokens that they signed are dead; a later rotation drops them.
    """
    try:
        made, signs_from, dropped = key_store.rotate_signing_keys(file, now=utc_now())
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(
        f"{file}: {made} is published now and signs from {signs_from.isoformat(timespec='seconds')} on"
    )
    record_operation("keys_rotated", kid=made, dropped=len(dropped))
    for kid in dropped:
        click.echo(f"{file}: {kid} is dropped, its tokens are dead")


@keys.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("kid")
def revoke(file: Path, kid: str) -> None:
    """Takes the key KID out of FILE at once: it became known to somebody. Every token that it signed is dead.

    Another key signs from now on, a new one where there is no other.
    """
    try:
        signing = key_store.revoke_signing_key(file, kid, now=utc_now())
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{file}: {kid} is out, its tokens are dead; {signing} signs")
    record_operation("key_revoked", kid=kid, signing=signing)


@click.command(name="version")
def show_version() -> None:
    """Says which version of Accord this is."""
    click.echo(f"accord {version('accord')}")


@click.command()
def demo() -> None:
    """Everything on this machine, to try it: stores, server and an example recipient."""
    from app.demo import run_demo  # needs what only development installs

    raise SystemExit(run_demo())
