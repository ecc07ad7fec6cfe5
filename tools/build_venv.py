"""Builds `.venv` from the hashed lock, or finds that there is nothing to do.

Runs under the system's Python, before anything is installed: standard library only. Whoever comes second
waits for whoever is building, and what was interrupted never counts as finished: the stamp is written last.
"""

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / ".complete"
LOCK = ROOT / "requirements" / "dev.txt"
PROJECT = ROOT / "pyproject.toml"


def fingerprint(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def pip(*arguments: str) -> None:
    subprocess.run(
        [VENV / "bin" / "python", "-m", "pip", "-qq", "--disable-pip-version-check", *arguments],
        cwd=ROOT,
        check=True,
    )


def install_dependencies() -> None:
    print("Building .venv (only the first time, and when dependencies change) …", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
    # Only wheels: no downloaded code runs during the installation.
    pip("install", "--require-hashes", "--only-binary=:all:", "-r", str(LOCK))


def install_project() -> None:
    pip("install", "--no-deps", "--no-build-isolation", "--no-index", "--editable", ".")


def build() -> None:
    dependencies = fingerprint(sys.version, str(ROOT), LOCK.read_text())
    project = fingerprint(PROJECT.read_text())
    done = STAMP.read_text().split() if STAMP.exists() else []
    if done != [dependencies, project]:
        STAMP.unlink(missing_ok=True)
        if done[:1] != [dependencies]:
            install_dependencies()
        install_project()
    STAMP.write_text(f"{dependencies}\n{project}\n")


def main() -> int:
    with (ROOT / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            build()
        except subprocess.CalledProcessError as error:
            print(f".venv could not be built: {' '.join(map(str, error.cmd))} failed.", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
