"""How a request is shown: the form, the form with a notice on top, or what is shared now, to be kept."""

from dataclasses import dataclass
from enum import StrEnum

from flask import request, url_for


class Notice(StrEnum):
    """Why the form came back, which it says on top."""

    MISSING = "missing"
    """Neither button was pressed."""
    CHANGED = "changed"
    """What it would say now is not what it said when it was answered; or the list of accounts has changed."""
    UNCHECKED = "unchecked"
    """“Share my data” was pressed with no box checked, and it is asked once whether that is meant."""
    INVESTMENTS = "investments"
    """None of the accounts that were chosen has the investments that the recipient needs."""


class Way(StrEnum):
    """What a repeat request shows that asks for nothing new."""

    RENEW = "renew"
    """What is shared now, to be kept with one press."""
    CHANGE = "change"
    """The form with its boxes."""


_NOTICES = {notice.value: notice for notice in Notice}
_WAYS = {way.value: way for way in Way}


@dataclass(frozen=True, slots=True)
class View:
    """How a request is shown. The address of its page says it, and so do hidden fields of its form."""

    way: Way | None = None
    notice: Notice | None = None

    @classmethod
    def of_address(cls) -> "View":
        """What this request's address asks for. Values that are unknown ask for nothing."""
        return cls(_WAYS.get(request.args.get("go", "")), _NOTICES.get(request.args.get("answer", "")))

    @classmethod
    def of_form(cls) -> "View":
        """The view of the page whose form was sent."""
        return cls(_WAYS.get(request.form.get("way", "")), _NOTICES.get(request.form.get("notice", "")))

    @property
    def fields(self) -> dict[str, str]:
        """The hidden fields of the form."""
        said = {"way": self.way, "notice": self.notice}
        return {name: value.value for name, value in said.items() if value is not None}

    def address(self, request_id: str, anchor: str | None = None) -> str:
        """The address of the page of that request."""
        return self._address("consent.show_consent_form", request_id, anchor)

    def accounts_address(self, request_id: str, anchor: str | None = None) -> str:
        """The address of the page of the accounts, which comes before it."""
        return self._address("accounts.show_accounts", request_id, anchor)

    def _address(self, endpoint: str, request_id: str, anchor: str | None) -> str:
        return url_for(endpoint, request_id=request_id, go=self.way, answer=self.notice, _anchor=anchor)
