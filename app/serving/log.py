"""gunicorn's own log lines as JSON, like those of the application, and written by the same thread."""

import json
import logging
import sys
from datetime import UTC, datetime

from gunicorn.config import Config
from gunicorn.glogging import Logger

from app.log_output import OUTPUT


class JsonLines(logging.Formatter):
    """One JSON object a line, in plain ASCII, whatever the message contains."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "event": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


class QuietLogger(Logger):
    """gunicorn's logger. Its lines wait in the queue of app/log_output.py, so that none holds up a worker."""

    def setup(self, cfg: Config) -> None:
        super().setup(cfg)
        OUTPUT.queue_lines(sys.stderr.fileno())
        for handler in self.error_log.handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.setStream(OUTPUT)
            handler.setFormatter(JsonLines())
