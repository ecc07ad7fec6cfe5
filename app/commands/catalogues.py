"""`flask catalogues check`: whether a server would start with the texts of a folder."""

from pathlib import Path

import click

from app.domain.language import Language
from app.settings import ConfigurationError


@click.group()
def catalogues() -> None:
    """The texts of the pages in every language."""


@catalogues.command(name="check")
@click.argument(
    "folder",
    type=click.Path(path_type=Path),
    default=Path(__file__).resolve().parents[2] / "translations",
)
def check_catalogues(folder: Path) -> None:
    """Lists every fault for which a server would not start with the texts of FOLDER."""
    from app.web.text.catalogues import PublishedCatalogues  # slow to import

    try:
        version = PublishedCatalogues(folder).version()
    except ConfigurationError as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from None
    click.echo(f"{folder}: every text in {len(Language)} languages, version {version}")
