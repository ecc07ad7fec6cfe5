"""Pages that are the same for everybody who is asked the same, rendered once and kept with their text."""

from collections.abc import Callable, Hashable
from math import ceil

from app.domain.evidence import Screen
from app.domain.language import Language
from app.domain.pending_request import PendingRequest
from app.web.consent.visible_text import visible_text
from app.web.current import services
from app.web.edge.language import switched_to
from app.web.text.form_cache import CachedForm
from app.web.text.template_filters import clock_time


def cached_page(asked: Hashable, language: Language, render: Callable[[], str]) -> CachedForm:
    """The page for `asked`, which is all that decides its text; it is rendered where nobody has been asked
    the same before, or the catalogues or the style sheet have changed since.

    It is rendered in `language`, whatever the response's own is: what is kept is shown to others.
    """
    catalogues = services().catalogues
    version = catalogues.version()
    key = (version, catalogues.faults(), services().assets.version(), asked)
    page = services().form_cache.find(key)
    if page is None:
        with switched_to(language):
            html = render()
        page = CachedForm(html, Screen(visible_text(html), language, version))
        services().form_cache.keep(key, page)
    return page


def time_values(pending: PendingRequest) -> dict[str, str]:
    """How much time is left to answer, for a page that offers more."""
    expires_at = pending.expires_at
    return {
        "expires_at": expires_at.isoformat(),
        # Never less than there is: the page must not say that it is over while an answer still counts.
        "seconds_left": str(ceil((expires_at - services().clock()).total_seconds())),
        "clock_time": clock_time(expires_at),
    }
