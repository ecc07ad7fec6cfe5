"""Environment variables: secrets that are read from files, and variables that are no settings."""

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

PREFIX: Final = "ACCORD_"
SECRETS: Final = ("ACCORD_REDIS_URL", "ACCORD_LEDGER_URL", "SECRET_KEY", "SECRET_KEY_FALLBACKS")
"""The settings that are secret or contain a password. `<NAME>_FILE` may name a file with the value."""

# Variables that are read by gunicorn.conf.py and by `make run`, not by app/settings.py.
_OTHERS: Final = ("ACCORD_BIND", "ACCORD_PORT", "ACCORD_WORKERS", "ACCORD_MAX_REQUESTS")
_OF_THE_DEMO: Final = ("ACCORD_INSTANCE", "ACCORD_IDP_PORT", "ACCORD_BANK_PORT")


def value_from_file(name: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """The content of the file that `<name>_FILE` names, stripped; None where `<name>_FILE` is not set.

    Raises ValueError where `name` is set as well, or where the file cannot be read or is empty.
    """
    place = environ.get(f"{name}_FILE")
    if not place:
        return None
    if environ.get(name):
        raise ValueError(f"{name} and {name}_FILE are both set")
    try:
        text = Path(place).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"{name}_FILE cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{name}_FILE is not text") from error
    if not text:
        raise ValueError(f"{name}_FILE is empty")
    return text


def unknown_variables(settings: Iterable[str], environ: Mapping[str, str] = os.environ) -> Iterator[str]:
    """One fault for each ACCORD_ variable that is no setting, with the name of the most similar setting."""
    known = {*settings, *_OTHERS, *_OF_THE_DEMO, *(f"{name}_FILE" for name in SECRETS)}
    for name in sorted(environ):
        if name.upper().startswith(PREFIX) and name not in known:
            nearest = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.0)[0]
            yield f"{name} is no setting; the nearest is {nearest}"
