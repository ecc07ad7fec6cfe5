"""`flask registry`: checks a registration file, compares two of them, and makes client secrets."""

import os
from pathlib import Path

import click

from app.domain.registry_changes import changes_between
from app.registration.client_secrets import make_client_secret
from app.registration.file import RegistryError, read_registry
from app.settings import Environment


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
    """Lists every fault in FILE, with its line and reason.

    Without an option and without ACCORD_ENVIRONMENT, faults that only production has are listed as well, but
    the check does not fail because of them.
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
    """Describes in words what NEW changes for customers, recipients and banks' APIs."""
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
    """Makes a client secret, and its hash for the registration file."""
    made, hashed = make_client_secret()
    click.echo(f"secret for the recipient, shown once: {made}")
    click.echo(f'secret_sha256 = "{hashed}"')
