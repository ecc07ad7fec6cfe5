"""Takes the pictures under docs/screens, from the real pages in Chromium: `make screenshots`.

With a folder, every screen goes there in every language, width and scheme, to be looked at.
"""

import io
import sys
import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Final, Literal

from PIL import Image
from playwright.sync_api import Page, ViewportSize, sync_playwright

from app.development.screens.example_page import ExamplePage
from app.development.screens.gallery import GROUPS, SCREENS
from app.domain.language import Language
from tests.support.launching import launch_chromium
from tools.gallery import write_gallery

Scheme = Literal["light", "dark"]
Shot = tuple[str, Language, int, Scheme]

DOCS = Path(__file__).resolve().parent.parent / "docs" / "screens"
WIDTHS = (320, 768, 1280)
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
# Screens of which another state is among the pictures already.
_VARIANTS = ("form-", "connection-", "connections-")
# What is kept: every screen on a phone, light in English; the main ones dark in French; the form wide, too.
KEPT: list[Shot] = [
    *((name, Language.EN, 320, "light") for name in SCREENS),
    *((name, Language.FR, 320, "dark") for name in SCREENS if not name.startswith(_VARIANTS)),
    *(
        ("form", language, width, scheme)
        for language, width, scheme in product(Language, WIDTHS[1:], SCHEMES)
    ),
]
# With fewer colours, those of logos would become grey.
_COLOURS = 64
# Elsewhere than on a phone, the system's own font comes first: pictures are the same wherever they are taken.
_FONT: Final = "body { font-family: Roboto, sans-serif }"
_FIRST_VIEW: Final[ViewportSize] = {"width": 640, "height": 1280}


def take(shots: list[Shot], folder: Path, *, first_views: bool = False) -> None:
    """Writes a picture for each of `shots` into `folder`; with `first_views`, what the README shows, too."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as gallery, sync_playwright() as playwright:
        write_gallery(Path(gallery))
        browser = launch_chromium(playwright)
        page = browser.new_page(reduced_motion="reduce")
        for shot in shots:
            _write(_picture(page, Path(gallery), shot), folder / file_of(shot))
        for language in Language if first_views else ():
            page.set_viewport_size(_FIRST_VIEW)
            page.emulate_media(color_scheme="light")
            _open(page, Path(gallery), "form", language)
            _write(page.screenshot(), folder / f"first-view-{language}.png")
        browser.close()


def file_of(shot: Shot) -> str:
    name, language, width, scheme = shot
    return f"{name}-{language}-{width}-{scheme}.webp"


def _picture(page: Page, gallery: Path, shot: Shot) -> bytes:
    """The whole page."""
    name, language, width, scheme = shot
    page.set_viewport_size({"width": width, "height": 640})
    page.emulate_media(color_scheme=scheme)
    _open(page, gallery, name, language)
    return page.screenshot(full_page=True)


def _open(page: Page, gallery: Path, name: str, language: Language) -> None:
    page.goto((gallery / f"{name}.{language}.html").as_uri())
    page.add_style_tag(content=_FONT)


def _write(taken: bytes, path: Path) -> None:
    """Reduces the colours of a picture, which keeps its lines and makes it five times smaller."""
    picture = Image.open(io.BytesIO(taken)).convert("RGB")
    picture = picture.quantize(_COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    if path.suffix == ".webp":
        picture.convert("RGB").save(path, lossless=True, quality=90, method=3)
    else:
        picture.save(path, optimize=True)


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
            english = _cell(screen, (screen.name, Language.EN, WIDTHS[0], "light"))
            french = _cell(screen, (screen.name, Language.FR, WIDTHS[0], "dark"))
            yield f"| {screen.title} |{english}|{french}|"


def _cell(screen: ExamplePage, shot: Shot) -> str:
    """The picture, which leads to itself, where it is kept."""
    if shot not in KEPT:
        return " "
    return f" [![{screen.title} ({shot[1]})]({file_of(shot)})]({file_of(shot)}) "


def main(folder: str | None) -> None:
    if folder is not None:
        take([(*shot,) for shot in product(SCREENS, Language, WIDTHS, SCHEMES)], Path(folder))
        return
    for old in (*DOCS.glob("*.png"), *DOCS.glob("*.webp")):
        old.unlink()
    take(KEPT, DOCS, first_views=True)
    (DOCS / "README.md").write_text("\n".join(_index()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
