"""`/` in development: the start page of the demo, with a link to the example recipient."""

from flask import Blueprint, render_template

from app.web.current import services

bp = Blueprint("start", __name__)


@bp.get("/")
def show_start_page() -> str:
    recipient = f"http://localhost:{services().settings.recipient_port}"
    return render_template("development/start.html", recipient=recipient)
