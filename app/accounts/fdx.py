"""A bank's list of accounts over HTTP, as the FDX API has it (`GET …/accounts`), a page after the other."""

import uuid
from urllib.parse import quote

from app.accounts import AccountsUnavailable
from app.outgoing.deadline import Deadline
from app.outgoing.http import get_json

MOST_PAGES = 4
"""Pages of one list: a judgement, since a page of a bank has a hundred accounts or more."""


def fetch_descriptors(address: str, access_token: str, *, deadline: Deadline) -> tuple[list[object], bool]:
    """The entries of the first MOST_PAGES pages at `address`, and whether these are all.

    Every page is asked for at `address`, whatever the page before says, so that nobody else gets the token.
    Raises AccountsUnavailable, and CallFailed.
    """
    entries: list[object] = []
    url = address
    for _ in range(MOST_PAGES):
        page = get_json(
            url,
            deadline=deadline,
            headers={
                "Authorization": f"Bearer {access_token}",
                "x-fapi-interaction-id": str(uuid.uuid4()),  # FDX requires it of whoever asks
            },
        )
        accounts = page.get("accounts")
        if not isinstance(accounts, list):
            raise AccountsUnavailable("no_list")
        entries += accounts
        offset = _next_offset(page.get("page"))
        if offset is None:
            return entries, True
        url = f"{address}{'&' if '?' in address else '?'}offset={offset}"
    return entries, False


def _next_offset(page: object) -> str | None:
    """FDX `page.nextOffset`, a text or a number, percent-encoded; None on the last page, and for no text."""
    offset = page.get("nextOffset") if isinstance(page, dict) else None
    if isinstance(offset, bool) or not isinstance(offset, str | int):
        return None
    try:
        return quote(str(offset), safe="") or None
    except UnicodeEncodeError:  # a surrogate alone is no character
        return None
