"""Reports what an operator's command did, on standard error and in the journal of systemd."""

import os
import socket
from pathlib import Path

import click

from app.logs import operator_event

SOCKET = Path("/run/systemd/journal/socket")

_IDENTIFIER = "accord"  # the same SyslogIdentifier as in deploy/accord.service


def record_operation(event: str, **facts: str | int) -> None:
    """Writes one line of JSON to standard error, and sends it to the journal where there is one."""
    line = operator_event(event, **facts)
    click.echo(line, err=True)
    if not SOCKET.exists() or _is_standard_error():
        return
    try:
        _send(line)
    except OSError as error:
        click.echo(f"the journal did not take that line: {error.strerror}", err=True)


def _is_standard_error() -> bool:
    """Whether the journal reads standard error already, as in a unit (JOURNAL_STREAM, systemd.exec)."""
    try:
        status = os.fstat(2)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _send(line: str) -> None:
    """Sends `line` by the journal's native protocol: one datagram with one field on each line."""
    fields = f"MESSAGE={line}\nPRIORITY=6\nSYSLOG_IDENTIFIER={_IDENTIFIER}\n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.settimeout(5)
        journal.sendto(fields.encode("utf-8"), str(SOCKET))
