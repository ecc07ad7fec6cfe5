"""Reads Accord's client secret at a bank's server, from an environment variable or from a file.

The registration file names the variable or the file, and never contains the secret, except that of a demo.
"""

import os
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field

from app.domain.tokens import hash_secret
from app.registration.demo_secrets import DEMO_HASHES
from app.registration.values import Entry, FilePath, Variable


class UnreadableSecret(NamedTuple):
    """Why a client secret cannot be read; `keys` lead from the provider to the key that names its place."""

    keys: tuple[str, str]
    reason: str


class BankSecret(Entry):
    """A table that names the place of a client secret."""

    client_secret_env: Variable | None = None
    client_secret_file: FilePath | None = None
    demo_client_secret: Annotated[str | None, Field(min_length=1, max_length=256, repr=False)] = None

    def read_secret(self, table: str, *, allow_demo: bool) -> tuple[str, UnreadableSecret | None]:
        """The client secret and None, or an empty text and the reason why there is no secret.

        `table` is the name that this table has in the file.
        """
        if self.demo_client_secret is not None:
            return self.demo_client_secret, None
        key = "client_secret_env" if self.client_secret_file is None else "client_secret_file"
        try:
            if self.client_secret_file is not None:
                secret = secret_in_file(self.client_secret_file)
            else:
                secret = secret_in_variable(self.client_secret_env or "")
        except ValueError as error:
            return "", UnreadableSecret((table, key), str(error))
        if not allow_demo and hash_secret(secret) in DEMO_HASHES:
            return "", UnreadableSecret((table, key), "a demo secret does not work in production")
        return secret, None


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
