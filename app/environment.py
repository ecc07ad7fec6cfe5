"""The variables of the environment: a secret's may be read from a file, and what is no setting is named."""

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

PREFIX: Final = "ACCORD_"
SECRETS: Final = ("ACCORD_REDIS_URL", "ACCORD_LEDGER_URL", "SECRET_KEY", "SECRET_KEY_FALLBACKS")
"""A secret, or an address with one in it. `<NAME>_FILE` names a file with it."""

# What gunicorn.conf.py reads, and `make run`.
_OTHERS: Final = ("ACCORD_BIND", "ACCORD_PORT", "ACCORD_WORKERS", "ACCORD_MAX_REQUESTS")
_OF_THE_DEMO: Final = ("ACCORD_INSTANCE", "ACCORD_IDP_PORT")


def value_from_file(name: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """What the file that `<name>_FILE` names has in it, less the space around; None where that is not set.

    Raises ValueError where `name` is set, too, or the file cannot be used.
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
    """A fault for each variable of ours, in whatever case, that nobody reads, with the nearest that is."""
    known = {*settings, *_OTHERS, *_OF_THE_DEMO, *(f"{name}_FILE" for name in SECRETS)}
    for name in sorted(environ):
        if name.upper().startswith(PREFIX) and name not in known:
            nearest = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.0)[0]
            yield f"{name} is no setting; the nearest is {nearest}"
