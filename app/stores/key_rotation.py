"""Writes the file of signing keys (signing_keys.py): makes it, puts a new key first, takes a key out."""

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey

from app.stores.signing_keys import (
    ALGORITHM,
    CURVE,
    LONGEST_TOKEN_LIFE,
    RETIRED_AT,
    SIGNS_FROM,
    load_members,
    moment_of,
)

PUBLISHED_BEFORE = timedelta(minutes=10)  # twice as long as the published set may be cached


def generate_signing_keys(path: Path) -> None:
    """Writes a new key to `path`, mode 600. Raises FileExistsError: a key is never overwritten."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"keys": [_new_key()]}, file, indent=2)


def rotate_signing_keys(path: Path, *, now: datetime) -> tuple[str, datetime, list[str]]:
    """Puts a new key first. It is published at once, and signs PUBLISHED_BEFORE later.

    The keys before it stay in the file until every token that they signed is dead. Returns the new key's id,
    when it begins to sign, and the ids of keys that were dropped. The file is replaced in one step and keeps
    its owner, with mode 600; parallel rotations follow one another. Raises ValueError for a file without
    keys, and OSError.
    """
    path = path.resolve()
    with _held(path.parent):
        keys = load_members(path)
        signs_from = now + PUBLISHED_BEFORE
        for key in keys:
            key.setdefault(RETIRED_AT, signs_from.isoformat())
        dead = [key for key in keys if now - moment_of(key, RETIRED_AT) >= LONGEST_TOKEN_LIFE]
        new = {**_new_key(), SIGNS_FROM: signs_from.isoformat()}
        _replace(path, [new, *(key for key in keys if key not in dead)])
    return str(new["kid"]), signs_from, [str(key["kid"]) for key in dead]


def revoke_signing_key(path: Path, kid: str, *, now: datetime) -> str:
    """Takes the key `kid` out, and so ends every token that it signed. Returns the id of the key that signs.

    That is the newest of the others that is not retired, even where it was to sign later, or else a new key.
    Raises ValueError for a file without keys and for a key that is not in it, and OSError.
    """
    path = path.resolve()
    with _held(path.parent):
        keys = load_members(path)
        others = [key for key in keys if key["kid"] != kid]
        if len(others) == len(keys):
            raise ValueError(f"{path} has no key {kid}")
        usable = [key for key in others if RETIRED_AT not in key or moment_of(key, RETIRED_AT) > now]
        if usable:
            signing = usable[0]
            signing.pop(RETIRED_AT, None)
            signing[SIGNS_FROM] = min(moment_of(signing, SIGNS_FROM), now).isoformat()
        else:
            signing = {**_new_key(), SIGNS_FROM: now.isoformat()}
            others = [signing, *others]
        _replace(path, others)
    return str(signing["kid"])


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """A lock on `folder`, for which other processes that change keys there wait."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, keys: list[dict[str, Any]]) -> None:
    owner = path.stat()
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)  # root may rotate what another user reads
            json.dump({"keys": keys}, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _new_key() -> dict[str, Any]:
    key = ECKey.generate_key(CURVE, parameters={"use": "sig", "alg": ALGORITHM}, auto_kid=True)
    return dict(key.as_dict(private=True))
