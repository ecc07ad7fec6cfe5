"""Room for the counts of several processes, which prometheus_client keeps in files mapped into memory.

It makes them sparse. Where their file system is full, writing to one would end the process with SIGBUS, in
the middle of a request; a file whose blocks are allocated beforehand cannot fail so.
"""

import os
import struct
from pathlib import Path
from typing import Final

_KINDS: Final = ("counter", "gauge_livesum", "histogram")  # those that app/metrics.py has
_FIRST_SIZE: Final = 128 * 1024  # bytes: some eight hundred series
_BYTES_PER_SERIES: Final = 256  # room for its name and labels in JSON, and two numbers
_HEAD: Final = struct.Struct("i")  # how many bytes of a file are used


class MetricsFiles:
    """The files of this process in `folder`; of another process after a fork."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def of_environment(cls) -> "MetricsFiles | None":
        """None where one process counts alone."""
        folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        return None if folder is None else cls(Path(folder))

    def reserve(self, series: int) -> None:
        """Room to begin with, and for so many series that are there from the first. Raises OSError."""
        for path in self._paths():
            new = path.with_suffix(".new")
            _allocate(new, _FIRST_SIZE + series * _BYTES_PER_SERIES)
            if not path.exists():
                new.replace(path)  # whoever reads all files finds none that is empty
            else:
                new.unlink()

    def make_room(self) -> None:
        """Twice as much, where more than half is used. Raises OSError."""
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
