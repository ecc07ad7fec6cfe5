"""`/complaints`: the address for complaints of each bank. The page works without the stores."""

from flask import Blueprint, render_template

from app.web.current import services

bp = Blueprint("complaints", __name__)


@bp.get("/complaints")
def show_complaints() -> str:
    return render_template(
        "connections/complaints.html", providers=list(services().registry.providers.values())
    )
