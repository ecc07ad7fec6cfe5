"""The catalogues of texts: compiled, as production has them, and as development reads them."""

import hashlib
from pathlib import Path
from typing import Any

from flask_babel import Domain

from app.web import readings


class CompiledCatalogues(Domain):  # type: ignore[misc]  # flask_babel has no types
    """The compiled catalogues under `directory`, which do not change while the process runs."""

    def __init__(self, directory: Path) -> None:
        super().__init__(str(directory))
        digest = hashlib.sha256()
        for catalogue in sorted(directory.glob("*/LC_MESSAGES/messages.mo")):
            digest.update(catalogue.read_bytes())
        self._version = digest.hexdigest()[:12]

    def version(self) -> str:
        """A name for the texts of this response: it changes whenever one of them does."""
        return self._version


class DevelopmentCatalogues(CompiledCatalogues):
    """The same, unless this response is read in another way."""

    def get_translations(self) -> Any:
        reading = readings.reading()
        return super().get_translations() if reading is None else readings.CATALOGUES[reading]

    def version(self) -> str:
        reading = readings.reading()
        return super().version() if reading is None else f"{super().version()}-{reading}"
