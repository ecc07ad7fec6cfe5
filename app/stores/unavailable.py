"""The one thing every store can say beside its answers, and how it says why: in words that are fixed."""

import re
from typing import Final

# Errors without a code of their own: SQLite's, that there is no schema; PostgreSQL's, whatever comes before a
# connection stands; SQLAlchemy's, that all connections are in use.
_PHRASES: Final = (
    *("no such table", "no such column", "QueuePool limit"),
    *("Connection refused", "No such file or directory", "Permission denied", "failed to resolve host"),
    *("authentication failed", "no pg_hba.conf entry", "no password supplied", "does not exist"),
    *("too many clients", "remaining connection slots", "starting up", "shutting down", "read-only"),
    *("certificate", "SSL", "sslmode", "timeout expired", "server closed the connection"),
)
# What Redis puts before an error that redis-py has no class for, such as MISCONF.
_CODE_WORD: Final = re.compile(r"[A-Z]{3,20}(?= )", re.ASCII)


class StoreUnavailable(Exception):
    """Redis or the ledger did not answer, or cannot. What was asked may or may not have happened.

    `has_answered` when the store gave up a statement that took too long: it lives, and others need not wait.
    `is_committed_perhaps` when a transaction was asked to commit, and nobody knows whether it has.
    """

    def __init__(self, *words: str, has_answered: bool = False, is_committed_perhaps: bool = False) -> None:
        super().__init__(*words)
        self.has_answered = has_answered
        self.is_committed_perhaps = is_committed_perhaps


class UnsuitableStore(StoreUnavailable):
    """A store that is there and can never do: somebody has to change it. The text says what, in our words."""


def cause(error: BaseException) -> str:
    """Why a store did not do what it was asked, in the driver's names and codes and a few fixed phrases.

    Of its message nothing is repeated: that may quote an address, a password, or what was asked.
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
