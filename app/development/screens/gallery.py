"""`/dev/screens`: a page with every screen in all languages side by side, and one address for each screen."""

from flask import Blueprint, Response, abort, render_template

from app.development.screens import connections, consent, errors, sign_in
from app.development.screens.example_page import ExamplePage
from app.domain.language import Language
from app.web.edge import headers, language

bp = Blueprint("screens", __name__)

GROUPS: dict[str, list[ExamplePage]] = {
    "Consent": consent.SCREENS,
    "Signing in": sign_in.SCREENS,
    "Data sharing": connections.SCREENS,
    "What went wrong": errors.SCREENS,
}
SCREENS = {screen.name: screen for group in GROUPS.values() for screen in group}


@bp.get("/dev/screens")
def show_gallery() -> str:
    headers.set_directive("frame-src", "'self'")
    return render_template("development/screens.html", groups=GROUPS, languages=list(Language))


@bp.get("/dev/screens/<name>")
def show_screen(name: str) -> Response:
    screen = SCREENS.get(name)
    if screen is None:
        abort(404)
    headers.set_directive("frame-ancestors", "'self'")
    language.set_language(language.query_language() or Language.EN)
    return Response(screen.render())
