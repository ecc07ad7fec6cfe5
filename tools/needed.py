"""Finds and installs what the named tests need besides .venv; without a name, what all of them need.

A test says it by what its file imports, itself or through other files of tests/: a name of
`tools.programs`, or `tools.checkers`.
"""

import ast
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from tools import checkers, programs

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"
# These have targets of their own, which ask for what they need: `make test-systemd`, `make test-webkit`.
APART = (TESTS / "booted", TESTS / "engines" / "webkit.py")


def files_named_by(arguments: Iterable[str]) -> Iterator[Path]:
    """The files that pytest would look into, given these arguments."""
    named = [Path(argument.partition("::")[0]).resolve() for argument in arguments if argument[0] != "-"]
    for path in [path for path in named if path.is_relative_to(TESTS) and path.exists()] or [TESTS]:
        yield from [path] if path.is_file() else path.rglob("test_*.py")


def needed_by(files: Iterable[Path]) -> set[str]:
    """Names of `programs.NEEDED`, and "checkers"."""
    needed, seen, waiting = set[str](), set(APART), list(files)
    while waiting:
        file = waiting.pop()
        if seen.intersection([file, *file.parents]) or not file.exists():
            continue
        seen.add(file)
        waiting += [folder / "conftest.py" for folder in file.parents if folder.is_relative_to(TESTS)]
        for module, name in _imported(file):
            if module == "tools.programs":
                program = getattr(programs, name)
                needed |= {key for key, these in programs.NEEDED.items() if program in these}
            elif module == "tools.checkers":
                needed.add("checkers")
            elif module.startswith("tests"):
                waiting += [ROOT / f"{path.replace('.', '/')}.py" for path in (module, f"{module}.{name}")]
    return needed


def _imported(file: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


def main(arguments: list[str]) -> int:
    needed = needed_by(files_named_by(arguments))
    failed = programs.main(sorted(needed - {"checkers"}))
    return checkers.main() or failed if "checkers" in needed else failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
