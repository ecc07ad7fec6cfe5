"""One JSON object a line, whatever is in it, and exceptions without what they say."""

import ast
import json
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from app.domain.history import ENDINGS, EventKind
from app.logs import set_up_logging
from tests.support.applications import Logged
from tests.support.repository import ROOT

HOSTILE = [
    "a\r\nb",
    '{"event":"forged"}\n{"event":"forged too"}',
    "\x1b[2J\x1b[31mred",
    "\u202eright to left\u2066",
    "line\u2028paragraph\u2029next\x85line",
    "\x00\x07\x7f\x9b",
    "lone \udcff surrogate",
    'quote " backslash \\ </script>',
    "Zoë, L’Étoile 🍁",
]

LoggedBy = Callable[[Callable[[], object]], list[dict[str, Any]]]


@pytest.fixture
def logged_by(logged: Logged) -> LoggedBy:
    """Does something and returns the entries that this made."""

    def log(act: Callable[[], object]) -> list[dict[str, Any]]:
        set_up_logging()  # now: pytest has a handler of its own, which would keep what no report can carry
        act()
        return logged()

    return log


LOG = structlog.get_logger()
LIBRARY = logging.getLogger("some.library")


@pytest.mark.parametrize("text", HOSTILE)
def test_an_event_is_one_line_whatever_is_in_it(logged_by: LoggedBy, text: str) -> None:
    (entry,) = logged_by(lambda: LOG.info("asked", client_id=text, **{text: "as a name"}))
    assert entry["event"] == "asked"
    assert entry["client_id"] == text
    assert entry[text] == "as a name"


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_library_logs_is_one_line_too(logged_by: LoggedBy, text: str) -> None:
    (entry,) = logged_by(lambda: LIBRARY.warning("saw %s", text))
    assert entry["event"] == f"saw {text}"
    assert entry["level"] == "warning"


def test_an_entry_says_when_in_utc_how_grave_and_to_which_request_it_belongs(logged_by: LoggedBy) -> None:
    structlog.contextvars.bind_contextvars(trace_id="f" * 32)
    (entry,) = logged_by(lambda: LOG.warning("csrf_refused", outcome="refused"))
    timestamp = entry.pop("timestamp")
    assert timestamp.endswith("Z")
    assert entry == {"event": "csrf_refused", "outcome": "refused", "trace_id": "f" * 32, "level": "warning"}
    (entry,) = logged_by(lambda: LIBRARY.error("oops"))
    assert entry.pop("timestamp") >= timestamp
    assert entry == {"event": "oops", "trace_id": "f" * 32, "level": "error"}


def fail() -> None:
    raise LookupError("the code was s3cret\nand more") from ValueError("the state was s3cret too")


def fail_and_log(how: str) -> None:
    try:
        fail()
    except LookupError as error:
        match how:
            case "exception":
                LOG.exception("failed")
            case "true":
                LOG.warning("failed", exc_info=True)
            case "itself":
                LOG.warning("failed", exc_info=error)
            case "tuple":
                LOG.warning("failed", exc_info=(type(error), error, error.__traceback__))
            case "of a library":
                LIBRARY.exception("failed")
            case "of a library, itself":
                LIBRARY.warning("failed", exc_info=error)


@pytest.mark.parametrize(
    "how", ["exception", "true", "itself", "tuple", "of a library", "of a library, itself"]
)
def test_an_exception_is_told_by_its_type_and_place_and_never_by_what_it_says(
    logged_by: LoggedBy, how: str
) -> None:
    (entry,) = logged_by(lambda: fail_and_log(how))
    assert (entry["event"], entry["exception"]) == ("failed", "LookupError")
    assert "test_logs.py:" in entry["at"][-1]
    assert entry["at"][-1].endswith(" fail")
    assert "s3cret" not in json.dumps(entry)


@pytest.mark.parametrize("exc_info", [True, None, False])
def test_an_entry_without_an_exception_names_none(logged_by: LoggedBy, exc_info: bool | None) -> None:
    (entry,) = logged_by(lambda: LOG.warning("unexpected", exc_info=exc_info))
    assert "exception" not in entry


def test_values_that_are_no_json_are_still_one_line(logged_by: LoggedBy) -> None:
    (entry,) = logged_by(lambda: LOG.info("asked", what=object(), raw=b"\xff\n", deep={"a": {"b": "\n"}}))
    assert entry["deep"] == {"a": {"b": "\n"}}
    assert "object" in entry["what"]


def test_libraries_are_heard_from_warnings_up_and_we_from_information_up(logged_by: LoggedBy) -> None:
    assert logged_by(lambda: LIBRARY.info("chatter")) == []
    assert logged_by(lambda: LOG.debug("chatter")) == []
    assert len(logged_by(lambda: LOG.info("asked"))) == 1


def test_logging_that_is_set_up_twice_says_everything_once(logged_by: LoggedBy) -> None:
    def set_up_and_log() -> None:
        set_up_logging()
        LIBRARY.warning("once")

    assert len(logged_by(set_up_and_log)) == 1


# What operators read


MANUAL = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")


def events_in(source: str) -> set[str]:
    """The names of events that are written in a module: what is logged by name, and pages that have one."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        words: list[ast.expr] = []
        if isinstance(node, ast.Dict):
            words = [
                value
                for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant) and key.value == "event"
            ]
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            words = [keyword.value for keyword in node.keywords if keyword.arg == "event"]
            if called.startswith("_log.") or called in {"operator_event", "record_operation"}:
                words += node.args[:1]
        found |= {
            word.value for word in words if isinstance(word, ast.Constant) and isinstance(word.value, str)
        }
    return found


def test_every_event_of_the_log_is_in_the_manual_and_no_other_is() -> None:
    modules = [path.read_text(encoding="utf-8") for path in (ROOT / "app").rglob("*.py")]
    # A consent that reaches its end date, or nears it; nobody does that. A notice that was sent has a line of
    # its own.
    only_in_the_ledger = {EventKind.EXPIRED, EventKind.NOTIFIED, EventKind.RENEWAL_DUE}
    logged = set().union(*map(events_in, modules)) | set(EventKind) - only_in_the_ledger
    table = MANUAL.partition("| event | when |\n")[2].partition("\n\n")[0]
    documented = {
        name for line in table.splitlines() for name in re.findall("`([a-z_]+)`", line.split("|")[1])
    }
    assert documented == logged


def test_a_restore_finds_every_way_in_which_a_connection_ends_or_shrinks() -> None:
    (command,) = re.findall(r"select\(\.event \| IN\(([^)]*)\)\)", MANUAL)
    by_itself = {EventKind.EXPIRED}
    assert set(re.findall(r'"([a-z_]+)"', command)) == {
        *(ENDINGS - by_itself),
        EventKind.NARROWED,
        "connection_ended",
        "connection_narrowed",
    }
