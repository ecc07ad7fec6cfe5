"""How commands open the stores: options for their addresses, and one-line messages for their errors."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import click

from app.domain.notice_registration import EventsAsked, asked_by_default
from app.domain.registry import Registry
from app.environment import value_from_file
from app.registration.file import RegistryError, read_registry
from app.stores.ledger.database import Database
from app.stores.unavailable import StoreUnavailable

TIMEOUT = timedelta(seconds=10)  # for one call: a judgement, since an operator waits longer than a customer
Command = Callable[..., None]


def address_option(option: str, variable: str) -> Callable[[Command], Command]:
    """An option for the address of a store.

    Without the option, the environment variable `variable` has the address, or the file that
    `<variable>_FILE` names.
    """

    def or_from_file(context: click.Context, option: click.Parameter, given: str | None) -> str:
        try:
            address = given or value_from_file(variable)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        if address is None:
            raise click.MissingParameter(ctx=context, param=option)
        return address

    return click.option(
        option, envvar=variable, callback=or_from_file, help=f"{variable}, or {variable}_FILE"
    )


def ledger_option(command: Command) -> Command:
    """Adds the option for the address of the ledger."""
    return address_option("--url", "ACCORD_LEDGER_URL")(command)


def registry_option(command: Command) -> Command:
    """Adds the option for the registration file, from which a command knows what is told to whom."""
    return click.option(
        "--registry",
        envvar="ACCORD_REGISTRY",
        type=click.Path(path_type=Path),
        help="ACCORD_REGISTRY: of which events recipients and banks are told.",
    )(command)


def registry_or_none(registry: Path | None) -> Registry | None:
    """The registry; None without a registration file. Raises ClickException."""
    try:
        return None if registry is None else read_registry(registry, allow_demo=True)
    except RegistryError as error:
        raise click.ClickException(str(error)) from error


def events_asked(registry: Path | None) -> EventsAsked:
    """The events of which receivers are told; the defaults without a registration. Raises ClickException."""
    known = registry_or_none(registry)
    return asked_by_default if known is None else known.events_asked


def parse_customer(customer: str | None) -> tuple[str, str]:
    """The provider and the subject of PROVIDER/SUBJECT. Raises UsageError."""
    provider_id, slash, subject = (customer or "").partition("/")
    if not slash or not subject:
        raise click.UsageError("a customer is written PROVIDER/SUBJECT, such as 1000/maple-0001")
    return provider_id, subject


@contextmanager
def open_database(url: str) -> Iterator[Database]:
    with one_line_faults():
        database = Database(url, timeout=TIMEOUT)
        try:
            yield database
        finally:
            database.close()


@contextmanager
def one_line_faults() -> Iterator[None]:
    """Turns errors into one-line messages of our own.

    A library's message may quote an address with a password.
    """
    try:
        yield
    except StoreUnavailable as error:
        raise click.ClickException(f"the store cannot be used: {error}") from error
    except ValueError as error:
        raise click.ClickException(str(error)) from error
