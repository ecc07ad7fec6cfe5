"""A logo that cannot be shown and a colour on which nothing can be read are refused, with the reason."""

import re
from pathlib import Path

import pytest

from app.registration import branding
from app.registration.branding import ON_COLOUR, readable_colour, readable_logo
from tests.support.repository import ROOT

CSS = ROOT / "static" / "accord.css"
PICTURE = b'<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0h1"/></svg>'


@pytest.fixture
def logos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(branding, "LOGOS", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.svg", PICTURE), ("a.png", b"\x89PNG\r\n\x1a\n..."), ("a.webp", b"RIFF....WEBP")],
)
def test_a_picture_is_a_logo(logos: Path, name: str, content: bytes) -> None:
    (logos / name).write_bytes(content)
    assert readable_logo(name) == name


def test_a_logo_may_stand_beside_the_registration_file_and_is_checked_there(
    logos: Path, tmp_path: Path
) -> None:
    beside = tmp_path / "beside"
    beside.mkdir()
    with pytest.raises(ValueError, match="neither under static/logos nor under logos beside"):
        readable_logo("a.svg", beside)
    (beside / "a.svg").write_bytes(PICTURE)
    assert readable_logo("a.svg", beside) == "a.svg"
    (logos / "a.svg").write_bytes(PICTURE)
    (beside / "a.svg").write_bytes(b"<html></html>")
    with pytest.raises(ValueError, match="is no SVG picture"):
        readable_logo("a.svg", beside)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.svg", b"", "is no SVG picture"),
        ("a.svg", b"<svg><path></svg>", "is no SVG picture"),
        ("a.svg", b"<html></html>", "is no SVG picture"),
        ("a.svg", b"<svg></svg>", "is no SVG picture"),  # browsers show nothing without the namespace
        ("a.svg", PICTURE.replace(b"<path", b"<script>x</script><path"), "has a script in it"),
        ("a.png", PICTURE, "is no picture of the kind .png"),
        ("a.webp", b"", "is no picture of the kind .webp"),
    ],
)
def test_what_cannot_be_shown_is_no_logo(logos: Path, name: str, content: bytes, reason: str) -> None:
    (logos / name).write_bytes(content)
    with pytest.raises(ValueError, match=reason):
        readable_logo(name)


def test_the_text_on_a_colour_is_what_the_style_sheet_says_in_every_scheme() -> None:
    on_screen = CSS.read_text(encoding="utf-8").partition("@media print")[0]
    found = re.findall(r"--on-band: (#\w+)", on_screen)
    assert found == ["#fff"]
    assert ON_COLOUR == "#ffffff"
    assert readable_colour("#767676") == "#767676"
