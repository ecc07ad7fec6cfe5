"""`/complaints`: where a complaint about each bank goes. No store is asked, which may be away."""

from flask import Blueprint, render_template

from app.web.current import services

bp = Blueprint("complaints", __name__)


@bp.get("/complaints")
def show() -> str:
    return render_template(
        "connections/complaints.html", providers=list(services().registry.providers.values())
    )
