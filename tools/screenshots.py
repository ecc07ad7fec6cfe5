"""Takes the pictures under docs/screens, from the real pages in Chromium: `make screenshots`.

With a folder, every screen goes there in every language, width and scheme, to be looked at.
"""

import io
import sys
import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from app.domain.language import Language
from app.web.screens.gallery import GROUPS, SCREENS
from tests.browser.chromium import launch
from tools.gallery import write_gallery

Scheme = Literal["light", "dark"]
Shot = tuple[str, Language, int, Scheme]

DOCS = Path(__file__).resolve().parent.parent / "docs" / "screens"
WIDTHS = (320, 768, 1280)
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
# What is kept: every screen on a phone, light in English and dark in French; the form on wider windows too.
KEPT: list[Shot] = [
    *((name, Language.EN, 320, "light") for name in SCREENS),
    *((name, Language.FR, 320, "dark") for name in SCREENS),
    *(
        ("form", language, width, scheme)
        for language, width, scheme in product(Language, WIDTHS[1:], SCHEMES)
    ),
]
_COLOURS = 64


def take(shots: list[Shot], folder: Path) -> None:
    """Writes a picture for each of `shots` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as gallery, sync_playwright() as playwright:
        write_gallery(Path(gallery))
        browser = launch(playwright)
        page = browser.new_page(reduced_motion="reduce")
        for shot in shots:
            (folder / file_of(shot)).write_bytes(_picture(page, Path(gallery), shot))
        browser.close()


def file_of(shot: Shot) -> str:
    name, language, width, scheme = shot
    return f"{name}-{language}-{width}-{scheme}.png"


def _picture(page: Page, gallery: Path, shot: Shot) -> bytes:
    """The whole page, in few colours: it stays legible and is a third of the size."""
    name, language, width, scheme = shot
    page.set_viewport_size({"width": width, "height": 640})
    page.emulate_media(color_scheme=scheme)
    page.goto((gallery / f"{name}.{language}.html").as_uri())
    picture = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    written = io.BytesIO()
    picture.quantize(_COLOURS, dither=Image.Dither.NONE).save(written, "PNG", optimize=True)
    return written.getvalue()


def _index() -> Iterator[str]:
    yield "# Screens\n"
    yield "Every page in every state, as `make screenshots` takes them. In development, `/dev/screens` has"
    yield "them too, and `make gallery` writes them as pages for whoever has only a browser.\n"
    yield "The form on wider windows:\n"
    for shot in KEPT:
        if shot[2] != WIDTHS[0]:
            yield f"- [{shot[1]}, {shot[2]} pixels, {shot[3]}]({file_of(shot)})"
    for group, screens in GROUPS.items():
        yield f"\n## {group}\n"
        yield "| | English, light | Français, dark |"
        yield "|---|---|---|"
        for screen in screens:
            english = file_of((screen.name, Language.EN, WIDTHS[0], "light"))
            french = file_of((screen.name, Language.FR, WIDTHS[0], "dark"))
            yield f"| {screen.title} | [![]({english})]({english}) | [![]({french})]({french}) |"


def main(folder: str | None) -> None:
    if folder is not None:
        take([(*shot,) for shot in product(SCREENS, Language, WIDTHS, SCHEMES)], Path(folder))
        return
    for old in DOCS.glob("*.png"):
        old.unlink()
    take(KEPT, DOCS)
    (DOCS / "README.md").write_text("\n".join(_index()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
