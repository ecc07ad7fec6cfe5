"""The contract of the machine endpoints, as a linter of OpenAPI sees it."""

import json
import os
import subprocess

from tests.support.repository import ROOT
from tools.checkers import CHECKERS, NODE

CONTRACT = ROOT / "app" / "openapi.yaml"


def test_a_linter_of_openapi_has_nothing_to_say() -> None:
    """tests/checkers/redocly.yaml says which of its rules are not for us, and why."""
    cli = CHECKERS / "node_modules" / "@redocly" / "cli" / "bin" / "cli.js"
    command = [str(NODE), str(cli), "lint", "--format", "json", "--config", "redocly.yaml", str(CONTRACT)]
    quiet = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}  # it asks nobody anything
    done = subprocess.run(
        command, cwd=CHECKERS, env=os.environ | quiet, capture_output=True, text=True, check=False
    )
    found = json.loads(done.stdout)
    assert [f"{problem['ruleId']}: {problem['message']}" for problem in found["problems"]] == []
    assert done.returncode == 0, done.stderr
