"""docs/security.md and docs/experience.md are true: each test that they name exists, and each line names one."""

import ast
import re

import pytest

from tests.support.repository import ROOT

NAMED = re.compile(r"`([\w/]+\.py)::(test_\w+)`")
HEADS = ("| what ", "|---")


def read(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def between(text: str, start: str, end: str) -> str:
    return text[text.index(start) : text.index(end) if end else None]


def defined_in(file: str) -> set[str]:
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("name", ["security.md", "experience.md"])
def test_every_test_that_is_named_exists(name: str) -> None:
    document = read(name)
    named = NAMED.findall(document)
    assert len(named) == document.count("::test_"), "one is not written as the others are"
    missing = [f"{file}::{test}" for file, test in named if test not in defined_in(file)]
    assert missing == []


@pytest.mark.parametrize(
    ("name", "start", "end", "at_least"),
    [
        ("security.md", "## Authorization endpoint", "## Out of scope", 50),
        ("experience.md", "## The consent page", "", 35),
    ],
)
def test_every_line_that_holds_something_names_a_test(name: str, start: str, end: str, at_least: int) -> None:
    held = between(read(name), start, end)
    lines = [line for line in held.splitlines() if line.startswith("|") and not line.startswith(HEADS)]
    assert len(lines) > at_least
    assert [line for line in lines if not NAMED.search(line)] == []
