"""`flask keys`: makes, rotates and revokes the keys that sign access tokens."""

from pathlib import Path

import click

from app.clock import utc_now
from app.commands.journal import record_operation
from app.stores.key_rotation import generate_signing_keys, revoke_signing_key, rotate_signing_keys


@click.group()
def keys() -> None:
    """The keys that sign access tokens."""


@keys.command()
@click.argument("file", type=click.Path(path_type=Path))
def generate(file: Path) -> None:
    """Writes a new ES256 key to FILE, which must not exist yet."""
    try:
        generate_signing_keys(file)
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
        made, signs_from, dropped = rotate_signing_keys(file, now=utc_now())
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
    """Removes the key KID from FILE at once, because it was exposed. Every token that it signed is invalid.

    Another key of the file signs from now on; where there is none, a new key is made.
    """
    try:
        signing = revoke_signing_key(file, kid, now=utc_now())
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{file}: {kid} is out, its tokens are dead; {signing} signs")
    record_operation("key_revoked", kid=kid, signing=signing)
