"""StoreUnavailable, the one error of every store, and its cause in words that are safe to log."""

import re
from typing import Final

# What is recognized in the messages of errors that have no code: of SQLite, that there is no schema; of
# PostgreSQL, what it says before a connection stands; of SQLAlchemy, that all connections are in use.
_PHRASES: Final = (
    *("no such table", "no such column", "QueuePool limit"),
    *("Connection refused", "No such file or directory", "Permission denied", "failed to resolve host"),
    *("authentication failed", "no pg_hba.conf entry", "no password supplied", "does not exist"),
    *("too many clients", "remaining connection slots", "starting up", "shutting down", "read-only"),
    *("certificate", "SSL", "sslmode", "timeout expired", "server closed the connection"),
)
# The code, such as MISCONF, that begins a message of Redis for which redis-py has no class.
_CODE_WORD: Final = re.compile(r"[A-Z]{3,20}(?= )", re.ASCII)


class StoreUnavailable(Exception):
    """Redis or the ledger did not answer, or could not do what was asked. It may have happened all the same.

    `has_answered` is set where the database itself ended a statement that took too long: it is alive, and the
    circuit breaker stays closed. `is_committed_perhaps` is set where a transaction was asked to commit, and
    nobody knows whether it has.
    """

    def __init__(self, *words: str, has_answered: bool = False, is_committed_perhaps: bool = False) -> None:
        super().__init__(*words)
        self.has_answered = has_answered
        self.is_committed_perhaps = is_committed_perhaps


class UnsuitableStore(StoreUnavailable):
    """A store that answers but is unsupported, such as a version that is too old. The text says why."""


def cause(error: BaseException) -> str:
    """Why a store failed, in the driver's class names and codes and a few fixed phrases.

    The message itself is not repeated: it may quote an address, a password, or what was asked.
    """
    error = getattr(error, "orig", None) or error  # SQLAlchemy's errors are about the driver's
    beneath = error.__cause__ or error.__context__
    code = getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorname", None)
    words = [
        type(error).__name__,
        *([type(beneath).__name__] if isinstance(beneath, OSError) else []),
        *([] if code is None else [str(code)]),
    ]
    message = str(error)
    if not getattr(error, "sqlstate", None):
        words += [phrase for phrase in _PHRASES if phrase in message][:1]
        words += _CODE_WORD.findall(message)[:1] if _CODE_WORD.match(message) else []
    return ", ".join(dict.fromkeys(words))
