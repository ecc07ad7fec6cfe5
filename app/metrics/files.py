"""Allocates the memory-mapped files in which prometheus_client keeps the counts of several processes.

The library makes these files sparse. When the file system is full, a write into a sparse file ends the
process with SIGBUS, in the middle of a request. A write into allocated blocks cannot fail in that way.
"""

import os
import struct
from pathlib import Path
from typing import Final

_KINDS: Final = ("counter", "gauge_livesum", "histogram")  # the kinds of metrics in instruments.py
_FIRST_SIZE: Final = 128 * 1024  # bytes: about eight hundred series
_BYTES_PER_SERIES: Final = 256  # for the name and the labels of a series in JSON, and two numbers
_HEAD: Final = struct.Struct("i")  # prometheus_client's header: how many bytes of a file are used


class MetricsFiles:
    """The files of the current process in `folder`; in a child after a fork, those of the child."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def from_environment(cls) -> "MetricsFiles | None":
        """The files in the folder PROMETHEUS_MULTIPROC_DIR; None where a single process counts."""
        folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        return None if folder is None else cls(Path(folder))

    def reserve(self, series: int) -> None:
        """Makes the files, with room for `series` series that exist from the start. Raises OSError."""
        for path in self._paths():
            new = path.with_suffix(".new")
            _allocate(new, _FIRST_SIZE + series * _BYTES_PER_SERIES)
            if not path.exists():
                new.replace(path)  # a reader of all files must not find an empty one
            else:
                new.unlink()

    def make_room(self) -> None:
        """Doubles each file of which more than half is used. Raises OSError."""
        for path in self._paths():
            with path.open("rb") as file:
                (used,) = _HEAD.unpack(file.read(_HEAD.size))
                size = os.fstat(file.fileno()).st_size
            if used > size // 2:
                _allocate(path, size * 2)

    def _paths(self) -> list[Path]:
        return [self._folder / f"{kind}_{os.getpid()}.db" for kind in _KINDS]


def _allocate(path: Path, size: int) -> None:
    with path.open("ab") as file:
        os.posix_fallocate(file.fileno(), 0, size)
