"""`flask demo`: starts Accord with its stores and an example recipient, to try it."""

import click


@click.command()
def demo() -> None:
    """Starts Accord, its stores and an example recipient on this machine."""
    from app.development.demo import run_demo  # needs packages of requirements/dev.txt

    raise SystemExit(run_demo())
