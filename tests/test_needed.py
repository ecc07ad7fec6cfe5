"""Before tests run, `make test` installs what these tests need, and nothing else; `make unit` needs nothing."""

import re

import pytest

from tests.support.repository import ROOT
from tools.needed import files_named_by, needed_by

EVERYTHING = {"checkers", "chromium", "firefox", "nginx", "pgbouncer"}
UNIT = re.findall(r"^UNIT = (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "needed"),
    [
        ("", EVERYTHING),
        ("-x -k stopping", EVERYTHING),
        ("tests", EVERYTHING),
        (UNIT[0], set()),
        ("tests/web/connections -x", set()),
        ("tests/web/consent/test_decision.py::test_deny_leads_back_with_access_denied", set()),
        ("tests/test_openapi_lint.py", {"checkers"}),
        ("tests/browser", {"checkers", "chromium"}),
        ("tests/engines", {"chromium", "firefox"}),
        ("tests/domain tests/test_deploy.py", {"nginx"}),
        ("tests/test_pool.py", {"pgbouncer"}),
    ],
)
def test_a_test_needs_what_its_file_imports(arguments: str, needed: set[str]) -> None:
    assert needed_by(files_named_by(arguments.split())) == needed
