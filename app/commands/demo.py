"""`flask demo`: starts everything on this machine, to try it."""

import click


@click.command()
def demo() -> None:
    """Everything on this machine, to try it: stores, server and an example recipient."""
    from app.development.demo import run_demo  # needs what only development installs

    raise SystemExit(run_demo())
