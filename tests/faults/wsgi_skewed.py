"""gunicorn's way in for tests of the clock: as wsgi.py, with a clock that is wrong by what a file says.

As there, the templates are loaded before the workers fork: whoever asks first waits for no compiler.
"""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app import create_app
from app.settings import Settings
from app.web.text.template_filters import load_templates

_OFFSET = Path(os.environ["CLOCK_OFFSET_FILE"])


def skewed_clock() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=float(_OFFSET.read_text() or 0))


app = create_app(Settings(), clock=skewed_clock)
load_templates(app)
