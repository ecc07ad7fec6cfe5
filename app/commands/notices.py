"""`flask notices`: what recipients are told, and whether it has reached them."""

import click

from app.commands.notices_deliver import deliver


@click.group()
def notices() -> None:
    """Notices to recipients."""


notices.add_command(deliver)
