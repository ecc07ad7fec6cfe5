"""What HUP does: makes the application anew from the registration as it is now, or keeps the old one.

It uses `Arbiter.app`, its `callable` and `app_uri`, and `Arbiter.WORKERS`, which gunicorn does not document.
pyproject.toml bounds its version for them, and tests/test_private_names.py names them.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from gunicorn.arbiter import Arbiter

if TYPE_CHECKING:
    from gunicorn.glogging import Logger

_begun_before: set[int] = set()
"""The process ids of the workers that began before the latest reload and have not ended yet."""


def remake_application(arbiter: Arbiter) -> None:
    """Makes the application anew, in the master, for the workers that are forked next.

    Where that is refused (the application has said why, in the log) or fails, the one before stays.
    """
    app: Any = arbiter.app
    serving, app.callable = app.callable, None
    sys.modules.pop(app.app_uri.partition(":")[0], None)
    try:
        app.wsgi()
    except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever it is, it must not end the server
        app.callable = serving
        log, name = cast("Logger", arbiter.log), type(error).__name__
        log.warning("the new configuration is faulty (%s): the one before stays in force", name)
        _tell_outcome(arbiter, "faulty")
    else:
        _begun_before.clear()
        _begun_before.update(arbiter.WORKERS)


def note_end_of(pid: int, arbiter: Arbiter) -> None:
    """A worker has ended. What is new is in force when the last one that began before has."""
    if pid in _begun_before:
        _begun_before.discard(pid)
        if not _begun_before:
            _tell_outcome(arbiter, "in force")


def _tell_outcome(arbiter: Arbiter, outcome: str) -> None:
    """Writes it into the log, and into the unit's RuntimeDirectory=, where deploy/reload waits for it."""
    cast("Logger", arbiter.log).info("reload: %s", outcome)
    folder = os.environ.get("RUNTIME_DIRECTORY")
    if folder:
        written = Path(folder) / "reload.new"
        written.write_text(outcome)
        written.rename(Path(folder) / "reload")  # at once: a reader finds a whole word, or no file
