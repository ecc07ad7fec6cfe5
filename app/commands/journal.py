"""What operators' commands did, on standard error and in the system's journal, however they were called."""

import os
import socket
from pathlib import Path

import click

from app.logs import operator_event

SOCKET = Path("/run/systemd/journal/socket")

_IDENTIFIER = "accord"  # as the lines of the service have it


def record_operation(event: str, **facts: str | int) -> None:
    """Says in one line of JSON what was done, and sends the same to the journal where there is one."""
    line = operator_event(event, **facts)
    click.echo(line, err=True)
    if not SOCKET.exists() or _is_standard_error():
        return
    try:
        _send(line)
    except OSError as error:
        click.echo(f"the journal did not take that line: {error.strerror}", err=True)


def _is_standard_error() -> bool:
    """Whether the journal reads standard error anyway, as a unit's (JOURNAL_STREAM in systemd.exec)."""
    try:
        status = os.fstat(2)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _send(line: str) -> None:
    """In systemd's own protocol: a datagram of fields, one a line."""
    fields = f"MESSAGE={line}\nPRIORITY=6\nSYSLOG_IDENTIFIER={_IDENTIFIER}\n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.settimeout(5)
        journal.sendto(fields.encode("utf-8"), str(SOCKET))
