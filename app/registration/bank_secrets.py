"""Reads Accord's client secret at a bank's server, from an environment variable or from a file.

The registration file names the variable or the file, and never contains the secret.
"""

import os
from pathlib import Path


def secret_in_variable(name: str) -> str:
    """The value of the environment variable `name`. Raises ValueError with the reason where it has none."""
    secret = os.environ.get(name)
    if not secret:
        raise ValueError("names an environment variable that is not set, or is empty")
    return secret


def secret_in_file(name: str) -> str:
    """The content of the file `name`, stripped. Raises ValueError with the reason where there is none."""
    try:
        text = Path(name).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ValueError("is not text") from error
    if not text:
        raise ValueError("is empty")
    return text
