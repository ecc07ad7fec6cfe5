"""Installs what checks the pages and is written for Node, as its lock says, hash by hash."""

import subprocess
import sys
from pathlib import Path

CHECKERS = Path(__file__).resolve().parent.parent / "tests" / "checkers"
NODE = Path(sys.prefix) / "bin" / "node"
_NPM = Path(sys.prefix) / "bin" / "npm"
_COMPLETE = CHECKERS / "node_modules" / ".complete"


def main() -> int:
    lock = CHECKERS / "package-lock.json"
    if _COMPLETE.exists() and _COMPLETE.read_bytes() == lock.read_bytes():
        return 0
    done = subprocess.run([_NPM, "ci", "--silent"], cwd=CHECKERS, stdin=subprocess.DEVNULL, check=False)
    if done.returncode == 0:
        _COMPLETE.write_bytes(lock.read_bytes())
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
