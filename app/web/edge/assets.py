"""`/static/…`: the style sheet, the script and the pictures, with a hash of the content in their names.

A browser may cache such a name for a year (RFC 8246). The names without a hash work too, and browsers
revalidate them each time. Text files are compressed once, when they are read. Pages are not compressed here,
which is the task of a proxy.
"""

import gzip
import hashlib
import mimetypes
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from flask import Flask, Response, current_app, request
from jinja2 import pass_context
from jinja2.runtime import Context
from werkzeug.exceptions import NotFound

PATH: Final = "/static"
_FOREVER: Final = "public, max-age=31536000, immutable"
_ASK_AGAIN: Final = "public, no-cache"
_TEXTS: Final = {"text/css", "text/javascript", "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent. `compressed` (gzip) is None where compression does not make it smaller."""

    name: str
    content: bytes
    compressed: bytes | None
    media_type: str
    digest: str

    @property
    def hashed_name(self) -> str:
        """The name with the digest in it: for `accord.css` it is `accord.<digest>.css`."""
        stem, dot, suffix = self.name.rpartition(".")
        return f"{stem}.{self.digest}{dot}{suffix}"


class Assets:
    """The files in `folder`, which are read once, or with `is_live` again after each change of one of them.

    `others` are further files by the names under which they are served; they replace files of the same name.
    `themes` are the style sheets of providers, by the colour (`#rrggbb`) that each is made from.
    """

    def __init__(
        self,
        folder: Path,
        *,
        is_live: bool,
        others: Mapping[str, Path] = MappingProxyType({}),
        themes: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._folder = folder
        self._is_live = is_live
        self._others = others
        self._themes = {_theme_name(colour): css.encode() for colour, css in themes.items()}
        self._watched: list[Path] = []
        self._stamps: list[int] = []
        self._by_name: Mapping[str, Asset] = {}
        self._read()

    def address(self, name: str) -> str:
        """The path at which the file is served. Raises KeyError for a file that does not exist."""
        return f"{PATH}/{self._current()[name].hashed_name}"

    def theme_address(self, colour: str) -> str | None:
        """The path of the style sheet for that colour; None for a colour of no registered provider."""
        name = _theme_name(colour)
        return self.address(name) if name in self._themes else None

    def version(self) -> tuple[str, ...]:
        """The digests of all files: a value that changes when one of the files changes."""
        return tuple(asset.digest for asset in self._current().values())

    def find(self, name: str) -> tuple[Asset, bool] | None:
        """The file with this name, with or without the digest, and whether `name` has the digest."""
        asset = self._current().get(name)
        return None if asset is None else (asset, name != asset.name)

    def _current(self) -> Mapping[str, Asset]:
        if self._is_live and self._stamps != list(map(_stamp, self._watched)):
            self._read()
        return self._by_name

    def _read(self) -> None:
        """Reads all files. A folder is watched, too, since it changes when a file comes or goes."""
        inside = list(self._folder.rglob("*"))
        self._watched = [self._folder, *inside, *self._others.values()]
        self._stamps = list(map(_stamp, self._watched))
        own = {path.relative_to(self._folder).as_posix(): path for path in inside}
        files = {name: path for name, path in {**own, **self._others}.items() if path.is_file()}
        contents = {name: path.read_bytes() for name, path in files.items()}
        self._by_name = _by_both_names({**contents, **self._themes})


def init_app(app: Flask, assets: Assets) -> None:
    """Serves `assets`, and adds the template filter `static_address`.

    The filter needs no URL adapter, so that it works on the error page for a wrong Host header, too.
    """

    def send(filename: str) -> Response:
        found = assets.find(filename)
        if found is None:
            raise NotFound
        asset, has_hashed_name = found
        return _answer(asset, _FOREVER if has_hashed_name else _ASK_AGAIN)

    @pass_context
    def static_address(_context: Context, name: str) -> str:
        """The path of a file. With `pass_context` Jinja does not evaluate it at compile time."""
        return assets.address(name)

    app.add_url_rule(f"{PATH}/<path:filename>", "static", send)

    @pass_context
    def theme_address(_context: Context, colour: str) -> str | None:
        """The same for the style sheet of a provider's colour."""
        return assets.theme_address(colour)

    app.jinja_env.filters["static_address"] = static_address
    app.jinja_env.filters["theme_address"] = theme_address


def _answer(asset: Asset, cache_control: str) -> Response:
    takes_gzip = asset.compressed is not None and request.accept_encodings["gzip"] > 0
    body = asset.compressed if takes_gzip and asset.compressed is not None else asset.content
    response = current_app.response_class(body, content_type=asset.media_type)
    response.headers["Cache-Control"] = cache_control
    response.set_etag(f"{asset.digest}-gzip" if takes_gzip else asset.digest)
    if asset.compressed is not None:
        response.vary.add("Accept-Encoding")
    if takes_gzip:
        response.headers["Content-Encoding"] = "gzip"
    response.make_conditional(request)
    return response


def _stamp(path: Path) -> int:
    """The time of the file's last change; 0 where the file is gone."""
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116  # half the time of Path.stat, for each file and request
    except FileNotFoundError:
        return 0


def _theme_name(colour: str) -> str:
    return f"themes/{colour.removeprefix('#')}.css"


def _by_both_names(contents: Mapping[str, bytes]) -> dict[str, Asset]:
    """All files, each by its name with the digest and by its name without."""
    assets: dict[str, Asset] = {}
    for name, content in contents.items():
        asset = _asset(name, content)
        assets[asset.name] = assets[asset.hashed_name] = asset
    return assets


def _asset(name: str, content: bytes) -> Asset:
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    compressed = gzip.compress(content, mtime=0) if media_type in _TEXTS else content
    return Asset(
        name=name,
        content=content,
        compressed=compressed if len(compressed) < len(content) else None,
        media_type=f"{media_type}; charset=utf-8" if media_type in _TEXTS else media_type,
        digest=hashlib.sha256(content).hexdigest()[:12],
    )
