"""`GET /consent/<request_id>`: the consent form, with a box for each optional data cluster."""

import structlog
from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.web.consent.account_step import RedirectInstead
from app.web.consent.open_request import open_request
from app.web.consent.pages import consent_page, page_instead
from app.web.consent.view import View

bp = Blueprint("consent", __name__)

_log = structlog.get_logger()


@bp.get("/consent/<request_id>")
def show_consent_form(request_id: str) -> BaseResponse | str:
    opened = open_request(request_id)
    instead = page_instead(opened)
    if instead is not None:
        return instead
    customer = opened.customer
    if customer is None:
        return redirect(url_for("sign_in.show_sign_in", request_id=request_id), 302)
    if request.method == "HEAD":
        return Response()  # for which no bank is asked for its list of accounts
    try:
        page = consent_page(opened, customer, View.of_address())
    except RedirectInstead as redirected:
        return redirect(redirected.address, 302)
    _log.info("shown", language=opened.pending.language.value, outcome="form")
    return page
