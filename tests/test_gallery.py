"""The gallery opens from a disk: every address in it is that of a file beside it."""

import re
from pathlib import Path

from app.web.screens.gallery import SCREENS
from tools.gallery import READINGS, write_gallery


def test_every_address_is_a_file_of_the_folder_or_leads_away_openly(tmp_path: Path) -> None:
    write_gallery(tmp_path)
    pages = list(tmp_path.glob("*.html"))
    assert len(pages) == 1 + len(SCREENS) * len(READINGS)
    for page in pages:
        addresses = re.findall(r'\b(?:href|src|action)="([^"]*)"', page.read_text(encoding="utf-8"))
        for address in addresses:
            is_elsewhere = address.startswith(("https://", "http://localhost", "com.budget.app:", "#"))
            assert is_elsewhere or (tmp_path / address).is_file(), f"{page.name}: {address}"
    for style in tmp_path.glob("static/*.css"):
        assert "url(" not in style.read_text(encoding="utf-8")
