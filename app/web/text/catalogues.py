"""The catalogues of texts, from the files that translators edit.

Production reads them once, when it starts, and wants them whole. Development reads them after each edit.
"""

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import Any

import polib
from babel.support import NullTranslations, Translations
from flask import g
from flask_babel import Domain

from app.domain.language import Language
from app.settings import ConfigurationError
from app.web.edge import language, pseudo_locale
from app.web.text.po_file import UnusablePo, compile_po, read_po

TEMPLATE = "messages.pot"


def file_of(directory: Path, spoken: Language) -> Path:
    return directory / spoken / "LC_MESSAGES" / "messages.po"


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


class PublishedCatalogues(Catalogues):
    """Every text of the template in every language, as the files were when the process started.

    Raises ConfigurationError with every fault in them: what is missing would be in English unseen.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        compiled: list[bytes] = []
        faults: list[str] = []
        template = polib.POFile()
        try:
            template = read_po(directory / TEMPLATE)
        except UnusablePo as unusable:
            faults += unusable.faults
        for spoken in Language:
            try:
                compiled.append(compile_po(file_of(directory, spoken), template))
            except UnusablePo as unusable:
                faults += unusable.faults
        if faults:
            raise ConfigurationError("\n".join(faults))
        texts = [Translations(BytesIO(binary)) for binary in compiled]
        self._texts = dict(zip(Language, texts, strict=True))
        self._version = _name_of(compiled)

    def get_translations(self) -> Translations:
        return self._texts[language.language()]


class LiveCatalogues(Catalogues):
    """The files as they are when a request asks, or another reading of the texts.

    A file that cannot be used changes nothing: its last good texts stay, and `faults` says why.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._files = {spoken: _LiveFile(file_of(directory, spoken)) for spoken in Language}
        self._lock = Lock()
        self._read_what_changed()

    def get_translations(self) -> Any:
        reading = pseudo_locale.reading()
        if reading is not None:
            return pseudo_locale.CATALOGUES[reading]
        self._look()
        return self._files[language.language()].texts

    def version(self) -> str:
        self._look()
        reading = pseudo_locale.reading()
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
        self.texts: NullTranslations = NullTranslations()

    def look(self) -> bool:
        """Reads the file if it has changed; whether it had."""
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return False
        try:
            self.compiled = _compile(self._path, stamp)
            self.texts = Translations(BytesIO(self.compiled))
            self.faults = []
        except UnusablePo as unusable:
            self.faults = unusable.faults
        self._stamp = stamp  # only now: what nobody foresaw is no less of a fault on the next page
        return True


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
    """Twelve digits that follow from the texts alone."""
    digest = hashlib.sha256()
    for compiled in catalogues:
        digest.update(compiled)
    return digest.hexdigest()[:12]
