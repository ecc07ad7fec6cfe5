"""Finds text that looks like a secret: keys, tokens, and long values of names such as `secret`.

Demo values are short words that say so; what is long and random was made to be kept.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_LONG = r"[A-Za-z0-9+/_=-]{32,}"
_PATTERNS = {
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "the private half of a JSON Web Key": re.compile(rf"[\"']d[\"']\s*:\s*[\"']{_LONG}[\"']"),
    "a token of a known service": re.compile(
        r"\b(AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|xox[abprs]-[A-Za-z0-9-]{10,}|[rs]k_live_[A-Za-z0-9]{16,})"
    ),
    # Names that end in sha256 or hash hold no secret, and no values that say that they are a benchmark's.
    "a long value under a telling name": re.compile(
        rf"(?i)\b[a-z_]*(secret|password|passwd|token|api_?key)\s*[=:]\s*[\"'](?!bench-){_LONG}[\"']"
    ),
}


def findings(text: str) -> Iterator[tuple[int, str]]:
    """The number of each line with a finding, and what it looks like."""
    for number, line in enumerate(text.splitlines(), start=1):
        for what, pattern in _PATTERNS.items():
            if pattern.search(line):
                yield number, what


def sources() -> Iterator[Path]:
    """The files of the project: all files except those that .gitignore names.

    (Git would say the same, but the tests need no git.)
    """
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    generated = {ROOT / ".git", *(ROOT / line.strip("/") for line in ignored if line.startswith("/"))}
    waiting = [ROOT]
    while waiting:
        for path in waiting.pop().iterdir():
            if path in generated or path.name == "__pycache__":
                continue
            if path.is_dir() and not path.is_symlink():
                waiting.append(path)
            elif path.is_file():
                yield path


def check() -> Iterator[str]:
    """The findings, one line each."""
    for path in sorted(sources()):
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a binary file, such as a picture
        for number, what in findings(text):
            yield f"{path.relative_to(ROOT)}:{number} holds what looks like {what}"


def main() -> int:
    found = list(check())
    print(*found, sep="\n", end="\n" if found else "", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
