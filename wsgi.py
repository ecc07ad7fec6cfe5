"""gunicorn's way in: `gunicorn wsgi:app`. An incomplete configuration is listed and nothing starts."""

from click import get_current_context
from flask.cli import NoAppException

from app import create_app
from app.log_output import OUTPUT
from app.settings import ConfigurationError, Settings
from app.web.pages import load_templates

FAULTY_CONFIGURATION = 4
"""The exit code after which starting again is of no use."""

try:
    app = create_app(Settings())
except ConfigurationError as error:
    if get_current_context(silent=True):
        # The flask command says this, and goes on to what works without an application.
        raise NoAppException(f"not configured\n{error}") from None
    OUTPUT.write(f"{error}\n")
    raise SystemExit(FAULTY_CONFIGURATION) from None

load_templates(app)
