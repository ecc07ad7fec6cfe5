"""The catalogues of translated texts, from the `.po` files that translators edit.

Production reads the files once, when it starts, and refuses incomplete ones. Development reads them again
after each change.
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
from flask import Flask
from flask_babel import Babel, Domain

from app.domain.language import Language
from app.settings import ConfigurationError
from app.web.current import request_state
from app.web.edge import language, pseudo_locale
from app.web.text.po_file import UnusablePo, compile_po, read_po

TEMPLATE = "messages.pot"


def file_of(directory: Path, spoken: Language) -> Path:
    return directory / spoken / "LC_MESSAGES" / "messages.po"


class Catalogues(Domain):  # type: ignore[misc]  # flask_babel has no types
    """The texts of the pages in all languages, from the files in `directory`."""

    def __init__(self, directory: Path) -> None:
        super().__init__(str(directory))
        self._version = ""

    def version(self) -> str:
        """A fingerprint of all texts, as they are in this response. It changes when one of them changes."""
        return self._version

    def faults(self) -> tuple[str, ...]:
        """The faults in the files, which pages show in development. Production has none."""
        return ()


class PublishedCatalogues(Catalogues):
    """All texts in every language, as the files were when the process started.

    Raises ConfigurationError with every fault in the files. A missing text is a fault, too, since it would
    appear in English without anybody noticing.
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
        return self._texts[language.current_language()]


class LiveCatalogues(Catalogues):
    """The texts as the files are at each request, or what replaces them (`pseudo_locale`).

    When a file becomes unusable, its last good texts stay in use, and `faults` says why.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._files = {spoken: _LiveFile(file_of(directory, spoken)) for spoken in Language}
        self._lock = Lock()
        self._read_what_changed()

    def get_translations(self) -> Any:
        view = pseudo_locale.current_view()
        if view is not None:
            return pseudo_locale.CATALOGUES[view]
        self._look()
        return self._files[language.current_language()].texts

    def version(self) -> str:
        self._look()
        view = pseudo_locale.current_view()
        return self._version if view is None else f"{self._version}-{view}"

    def faults(self) -> tuple[str, ...]:
        self._look()
        return tuple(fault for file in self._files.values() for fault in file.faults)

    def _look(self) -> None:
        """Reads changed files, once for each response, so that a page has the texts of one moment."""
        state = request_state()
        if state.has_looked_at_catalogues:
            return
        state.has_looked_at_catalogues = True
        with self._lock:
            self._read_what_changed()

    def _read_what_changed(self) -> None:
        changed = [file.look() for file in self._files.values()]
        if any(changed):
            self._version = _name_of(file.compiled for file in self._files.values() if file.compiled)


def init_app(app: Flask, catalogues: Catalogues, *, time_zone: str) -> None:
    """Makes `catalogues` the source of the texts of `app`, in the language of each request."""
    babel = Babel(app, default_timezone=time_zone, locale_selector=language.current_locale)
    babel.domain_instance = catalogues  # its documentation says that this can be read, not that it can be set


class _LiveFile:
    """A `.po` file. `texts` and `compiled` are from its last good state, `faults` from its present one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self.faults: list[str] = []
        self.compiled = b""
        self.texts: NullTranslations = NullTranslations()

    def look(self) -> bool:
        """Reads the file if it has changed. Returns whether it had."""
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return False
        try:
            self.compiled, self.texts = _compile(self._path, stamp)
            self.faults = []
        except UnusablePo as unusable:
            self.faults = unusable.faults
        self._stamp = stamp  # last, so that after an unexpected exception the next page fails as well
        return True


def _stamp(path: Path) -> tuple[int, int]:
    """The time and the size of a file, which differ after a change; zeros where it does not exist."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=8)
def _compile(path: Path, _stamp: tuple[int, int]) -> tuple[bytes, Translations]:
    """Compiles a file. The result is cached for all applications of this process, since it is slow."""
    compiled = compile_po(path)
    return compiled, Translations(BytesIO(compiled))


def _name_of(catalogues: Iterable[bytes]) -> str:
    """The first twelve hexadecimal digits of the SHA-256 of the texts."""
    digest = hashlib.sha256()
    for compiled in catalogues:
        digest.update(compiled)
    return digest.hexdigest()[:12]
