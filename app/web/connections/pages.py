"""Renders the pages about connections. The views have loaded the data before."""

from collections.abc import Iterable, Mapping, Sequence

from flask import render_template

from app.domain.clusters import in_order, known_clusters
from app.domain.history import Event
from app.domain.language import Language
from app.domain.notices import proves_that_end_was_told
from app.domain.registry import DataProvider
from app.flow.consent import WaitingRequest
from app.sign_in import Customer
from app.web.connections.receipt import ShownConnection, receipt
from app.web.connections.stopping import EVERYTHING, Stopping, account_parameter
from app.web.edge.forms import RequestForm, SignOutForm

MOST_ENDED = 20
"""How many ended connections are on one page: a judgement. A link leads to the older ones."""


def choose_page(providers: Iterable[DataProvider], *, waiting: WaitingRequest | None = None) -> str:
    """The page for choosing a bank to sign in at."""
    return render_template("connections/choose.html", providers=list(providers), waiting=waiting)


def list_page(
    *,
    active: Sequence[ShownConnection],
    ended: Sequence[ShownConnection],
    is_first: bool,
    customers: Sequence[Customer],
    providers: Mapping[str, DataProvider],
    session_id: str | None,
    waiting: WaitingRequest | None = None,
) -> str:
    """The list of active and of ended connections of `customers`, who are one person at several banks.

    `ended` may have one connection more than a page shows, which means that there is a next page.
    """
    signed_in_at = {customer.provider_id for customer in customers}
    return render_template(
        "connections/list.html",
        active=active,
        ended=ended[:MOST_ENDED],
        is_first=is_first,
        has_older=len(ended) > MOST_ENDED,
        signed_in=[(customer, providers[customer.provider_id]) for customer in customers],
        others=[provider for provider in providers.values() if provider.provider_id not in signed_in_at],
        waiting=waiting,
        sign_out=SignOutForm(session_id=session_id, request_id=""),
        # A page about a single bank has that bank's colour and logo.
        **({"provider": providers[customers[0].provider_id]} if len(customers) == 1 else {}),
    )


def detail_page(
    shown: ShownConnection,
    history: Sequence[Event],
    *,
    is_telling: bool = False,
    waiting: WaitingRequest | None = None,
) -> str:
    """The page of one connection: its receipt in every language, its history, and how to stop it.

    `is_telling` where the recipient is being told that the customer has stopped.
    """
    accounts = shown.accounts
    return render_template(
        "connections/detail.html",
        shown=shown,
        accounts=accounts,
        account_stops=[
            (line, account_parameter(shown.consent_id, line.account.account_id)) for line in accounts or ()
        ],
        client=shown.client,
        provider=shown.provider,
        waiting=waiting,
        is_telling=is_telling,
        is_told=shown.was_stopped_by_customer and any(map(proves_that_end_was_told, history)),
        history=[
            (
                event,
                in_order(known_clusters((event.detail or "").split(" "))),
                shown.account_lines(event.accounts),
            )
            for event in history
        ],
        receipts={spoken: receipt(shown, spoken) for spoken in Language},
    )


def stop_page(
    shown: ShownConnection,
    stopping: Stopping,
    *,
    session_id: str | None,
    waiting: WaitingRequest | None = None,
) -> str:
    """The page on which a customer confirms that sharing of `stopping` stops."""
    needed = frozenset() if shown.client is None else shown.client.needed_clusters
    return render_template(
        "connections/stop.html",
        shown=shown,
        client=shown.client,
        provider=shown.provider,
        waiting=waiting,
        stopping=stopping,
        clusters=in_order(stopping.clusters),
        accounts=shown.account_lines(stopping.account_ids),
        left=stopping.left,
        clusters_left=[] if stopping.left is None else in_order(stopping.left.granted_scope),
        accounts_left=[] if stopping.left is None else shown.account_lines(stopping.left.account_ids),
        is_needed=bool(stopping.clusters & needed),
        stop=EVERYTHING if stopping.left is None else stopping.asked,
        form=stop_form(shown.consent_id, session_id),
        page_query={"stop": stopping.asked},
    )


def stop_form(consent_id: str, session_id: str | None) -> RequestForm:
    """The form that confirms stopping. Its token is bound to one session and one connection."""
    return RequestForm(session_id=session_id, request_id=consent_id)
