"""Installs what the tests need that is written for Node, as the locks say, hash by hash.

What checks the pages and the contract, and client libraries of recipients.
"""

import subprocess
import sys
from pathlib import Path

_TESTS = Path(__file__).resolve().parent.parent / "tests"
CHECKERS = _TESTS / "checkers"
CLIENTS = _TESTS / "clients"
NODE = Path(sys.prefix) / "bin" / "node"
_NPM = Path(sys.prefix) / "bin" / "npm"


def main() -> int:
    return max(_install(folder) for folder in (CHECKERS, CLIENTS))


def _install(folder: Path) -> int:
    """Installs the checkers unless they are installed already, and returns the exit code."""
    lock, complete = folder / "package-lock.json", folder / "node_modules" / ".complete"
    if complete.exists() and complete.read_bytes() == lock.read_bytes():
        return 0
    done = subprocess.run([_NPM, "ci", "--silent"], cwd=folder, stdin=subprocess.DEVNULL, check=False)
    if done.returncode == 0:
        complete.write_bytes(lock.read_bytes())
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
