"""The catalogues of texts: compiled and unchanging in production, read after each edit in development."""

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any, Final

from babel.messages.mofile import read_mo
from babel.support import NullTranslations, Translations
from flask import g
from flask_babel import Domain, get_locale

from app.domain.language import Language
from app.settings import ConfigurationError
from app.web import readings
from app.web.po_file import UnusablePo, compile_po

_COMPILED = "LC_MESSAGES/messages.mo"
_EDITED = "*/LC_MESSAGES/messages.po"
_SECONDS_TO_NEW_FILES: Final = 1.0


class Catalogues(Domain):  # type: ignore[misc]  # flask_babel has no types
    """The texts of the pages, under `directory`."""

    def __init__(self, directory: Path) -> None:
        super().__init__(str(directory))
        self._version = ""

    def version(self) -> str:
        """A name for the texts of this response: it changes whenever one of them does."""
        return self._version

    def faults(self) -> tuple[str, ...]:
        """What is wrong with the files of translators; nothing, where nobody edits them."""
        return ()


class CompiledCatalogues(Catalogues):
    """The compiled catalogues, which do not change while the process runs.

    Raises ConfigurationError when one is missing: its readers would get English without a word.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        files = [directory / language / _COMPILED for language in Language]
        missing = [str(path) for path in files if not path.is_file()]
        if missing:
            raise ConfigurationError(f"not compiled: {', '.join(missing)}; pybabel compile does it")
        self._version = _name_of(path.read_bytes() for path in files)


class LiveCatalogues(Catalogues):
    """The `.po` files as they are when a request asks, or another reading of the texts.

    A file that cannot be used changes nothing: its last good texts stay, and `faults` says why.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._directory = directory
        self._files: dict[str, _LiveFile] = {}
        self._lock = Lock()
        self._search_again_at = 0.0
        self._read_what_changed()

    def get_translations(self) -> Any:
        reading = readings.reading()
        if reading is not None:
            return readings.CATALOGUES[reading]
        self._look()
        locale = get_locale()
        file = self._files.get(str(locale)) or self._files.get(locale.language)
        return _NO_TEXTS if file is None else file.texts

    def version(self) -> str:
        self._look()
        reading = readings.reading()
        return self._version if reading is None else f"{self._version}-{reading}"

    def faults(self) -> tuple[str, ...]:
        self._look()
        return tuple(fault for file in self._files.values() for fault in file.faults)

    def _look(self) -> None:
        """Reads what has changed, once for each response: a page is in the texts of one moment."""
        if "has_looked_at_catalogues" in g:
            return
        g.has_looked_at_catalogues = True
        with self._lock:
            self._read_what_changed()

    def _read_what_changed(self) -> None:
        if monotonic() >= self._search_again_at:
            for path in sorted(self._directory.glob(_EDITED)):
                self._files.setdefault(path.parts[-3], _LiveFile(path))
            self._search_again_at = monotonic() + _SECONDS_TO_NEW_FILES
        changed = [file.look() for file in self._files.values()]
        if any(changed):
            self._version = _name_of(file.compiled for file in self._files.values() if file.compiled)


class _LiveFile:
    """A `.po` file: `texts` and `compiled` are of its last good state, `faults` of its present one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self.faults: list[str] = []
        self.compiled = b""
        self.texts: NullTranslations = _NO_TEXTS

    def look(self) -> bool:
        """Reads the file if it has changed; whether it had."""
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return False
        is_first, self._stamp = self._stamp is None, stamp
        try:
            self._use(_compile(self._path, stamp))
            self.faults = []
        except UnusablePo as unusable:
            self.faults = unusable.faults
            compiled = self._path.with_suffix(".mo")
            if is_first and compiled.exists():
                self._use(compiled.read_bytes())
        return True

    def _use(self, compiled: bytes) -> None:
        self.compiled, self.texts = compiled, Translations(BytesIO(compiled))


_NO_TEXTS = NullTranslations()


def _stamp(path: Path) -> tuple[int, int]:
    """What differs once a file has been written again. Reading one that has gone says so."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=8)
def _compile(path: Path, _stamp: tuple[int, int]) -> bytes:
    """The same for every application of this process: it takes a moment."""
    return compile_po(path)


def _name_of(catalogues: Iterable[bytes]) -> str:
    """Twelve digits that follow from the texts alone: a header says when it was compiled, and is left out."""
    digest = hashlib.sha256()
    for compiled in catalogues:
        for message in read_mo(BytesIO(compiled)):
            if message.id:
                digest.update(repr((message.context, message.id, message.string)).encode())
    return digest.hexdigest()[:12]
