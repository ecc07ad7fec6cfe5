"""gunicorn's way in: `gunicorn wsgi:app`. An incomplete configuration is listed and nothing starts."""

import logging

from click import get_current_context
from flask.cli import NoAppException

from app import create_app, faults_in_places, require_suitable_stores, say_what_was_loaded
from app.log_output import OUTPUT
from app.logs import fault_line
from app.settings import ConfigurationError, Settings
from app.web.text.template_filters import load_templates

FAULTY_CONFIGURATION = 78
"""EX_CONFIG: the exit code after which starting again is of no use."""

logging.captureWarnings(capture=True)  # Python's own, which would not be JSON
try:
    settings = Settings()
    app = create_app(settings)
    require_suitable_stores(settings)
except ConfigurationError as error:
    faults = [*str(error).splitlines(), *faults_in_places(error.sound)]
    if get_current_context(silent=True):
        # The flask command says this, and goes on to what works without an application.
        raise NoAppException("\n".join(["not configured", *faults])) from None
    for fault in faults:
        OUTPUT.write(fault_line(fault))
    raise SystemExit(FAULTY_CONFIGURATION) from None

load_templates(app)
if not get_current_context(silent=True):
    say_what_was_loaded(app)
