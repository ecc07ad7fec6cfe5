"""`flask version`: says which version of Accord is installed."""

from importlib.metadata import version

import click


@click.command(name="version")
def show_version() -> None:
    """Says which version of Accord this is."""
    click.echo(f"accord {version('accord')}")
