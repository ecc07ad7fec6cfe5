"""docs/security.md is true: each test that it names exists, and each line names one."""

import ast
import re

from tests.conftest import ROOT

DOCUMENT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`([\w/]+\.py)::(test_\w+)`")
HELD = DOCUMENT[DOCUMENT.index("## Authorization endpoint") : DOCUMENT.index("## Out of scope")]


def defined_in(file: str) -> set[str]:
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_test_that_is_named_exists() -> None:
    named = NAMED.findall(DOCUMENT)
    assert len(named) == DOCUMENT.count("::test_"), "one is not written as the others are"
    missing = [f"{file}::{test}" for file, test in named if test not in defined_in(file)]
    assert missing == []


def test_every_line_that_holds_something_names_a_test() -> None:
    lines = [line for line in HELD.splitlines() if line.startswith("| ") and "what holds" not in line]
    assert len(lines) > 50
    assert [line for line in lines if not NAMED.search(line)] == []
