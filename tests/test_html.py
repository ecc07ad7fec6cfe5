"""The HTML of every page in every state is valid, as a validator of the HTML standard sees it."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tools.checkers import CHECKERS, NODE
from tools.gallery import write_gallery


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gallery")
    write_gallery(folder)
    return folder


def faults(*pages: Path) -> list[str]:
    """What the validator says of the pages."""
    validator = CHECKERS / "node_modules" / "html-validate" / "bin" / "html-validate.mjs"
    options = ["--config", str(CHECKERS / ".htmlvalidate.json"), "--formatter", "json"]
    command = [str(NODE), str(validator), *options, *map(str, pages)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=CHECKERS, check=False)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    told = [
        f"{Path(page['filePath']).name}:{message['line']}: {message['message']}"
        for page in found
        for message in page["messages"]
    ]
    assert done.returncode == (1 if told else 0), done.stderr
    return told


def test_every_page_is_valid_html(gallery: Path) -> None:
    pages = sorted(gallery.glob("*.html"))
    assert len(pages) > 100
    assert faults(*pages) == []


def test_the_validator_finds_what_is_not(gallery: Path) -> None:
    html = (gallery / "signed-out.en.html").read_text(encoding="utf-8")
    bad = gallery / "bad.html"
    for good, wrong, told in (
        ("<h1>", "<h1><p>no</p>", "not permitted"),
        ("</main>", "</main></main>", "Stray end tag"),
        ("<h1>", '<h1 id="a"></h1><h1 id="a">', "Duplicate ID"),
    ):
        assert good in html
        bad.write_text(html.replace(good, wrong, 1), encoding="utf-8")
        assert any(told in fault for fault in faults(bad)), told
    bad.unlink()
