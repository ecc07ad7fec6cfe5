"""Accord's secret at a bank: in a variable of the environment or in a file, never in the registration."""

import os
from pathlib import Path


def secret_in_variable(name: str) -> str:
    """Raises ValueError with the reason why there is none."""
    secret = os.environ.get(name)
    if not secret:
        raise ValueError("names an environment variable that is not set, or is empty")
    return secret


def secret_in_file(name: str) -> str:
    """Without the space around it. Raises ValueError with the reason why there is none."""
    try:
        text = Path(name).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ValueError("is not text") from error
    if not text:
        raise ValueError("is empty")
    return text
