"""`flask version`: prints the version of Accord that is installed."""

from importlib.metadata import version

import click


@click.command(name="version")
def show_version() -> None:
    """Prints the version of Accord."""
    click.echo(f"accord {version('accord')}")
