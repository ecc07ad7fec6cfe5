"""The WSGI application for gunicorn: `gunicorn wsgi:app`. With a faulty configuration nothing starts."""

import logging
import os

from click import get_current_context
from flask.cli import NoAppException

from app import create_app, say_what_was_loaded
from app.log_output import OUTPUT
from app.logs import fault_line
from app.settings import ConfigurationError, Settings
from app.startup import faults_in_files_and_stores, require_suitable_stores
from app.web.text.template_filters import load_templates

logging.captureWarnings(capture=True)  # Python would print its warnings as plain text, not as JSON
try:
    settings = Settings()
    app = create_app(settings)
    require_suitable_stores(settings)
except ConfigurationError as error:
    faults = [*str(error).splitlines(), *faults_in_files_and_stores(error.sound)]
    if get_current_context(silent=True):
        # The flask command prints this, and then runs those commands that need no application.
        raise NoAppException("\n".join(["not configured", *faults])) from None
    for fault in faults:
        OUTPUT.write(fault_line(fault))
    raise SystemExit(os.EX_CONFIG) from None  # after which systemd does not restart (deploy/accord.service)

load_templates(app)
if not get_current_context(silent=True):
    say_what_was_loaded(app)
