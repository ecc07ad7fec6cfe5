"""How a request is shown: the form, the form with a banner on top, or what is shared now, to be kept."""

from dataclasses import dataclass
from enum import StrEnum

from flask import request, url_for


class Banner(StrEnum):
    """Why the form came back; the page says so on top."""

    MISSING = "missing"
    """Neither button was pressed."""
    CHANGED = "changed"
    """What it would say now is not what it said when it was answered; or the list of accounts has changed."""
    UNCHECKED = "unchecked"
    """“Share my data” was pressed with no box checked, and it is asked once whether that is meant."""
    INVESTMENTS = "investments"
    """None of the accounts that were chosen has the investments that the recipient needs."""


class RepeatView(StrEnum):
    """What the page of a repeat request shows, when nothing new is asked."""

    RENEW = "renew"
    """What is shared now, to be kept with one press."""
    CHANGE = "change"
    """The form with its boxes."""


_BANNERS = {banner.value: banner for banner in Banner}
_REPEAT_VIEWS = {view.value: view for view in RepeatView}


@dataclass(frozen=True, slots=True)
class View:
    """How a request is shown. The address of its page and hidden fields of its form have both values.

    In an address, `banner` is the parameter `answer`, and `repeat` is `go`, which is also the name of the
    button that leads there.
    """

    repeat: RepeatView | None = None
    banner: Banner | None = None

    @classmethod
    def of_address(cls) -> "View":
        """What this request's address asks for. Values that are unknown ask for nothing."""
        repeat, banner = request.args.get("go", ""), request.args.get("answer", "")
        return cls(_REPEAT_VIEWS.get(repeat), _BANNERS.get(banner))

    @classmethod
    def of_form(cls) -> "View":
        """The view of the page whose form was sent."""
        repeat, banner = request.form.get("repeat", ""), request.form.get("banner", "")
        return cls(_REPEAT_VIEWS.get(repeat), _BANNERS.get(banner))

    @property
    def fields(self) -> dict[str, str]:
        """The hidden fields of the form."""
        said = {"repeat": self.repeat, "banner": self.banner}
        return {name: value.value for name, value in said.items() if value is not None}

    def address(self, request_id: str, anchor: str | None = None) -> str:
        """The address of the page of that request."""
        return self._address("consent.show_consent_form", request_id, anchor)

    def accounts_address(self, request_id: str, anchor: str | None = None) -> str:
        """The address of the page of the accounts, which comes before it."""
        return self._address("accounts.show_accounts", request_id, anchor)

    def _address(self, endpoint: str, request_id: str, anchor: str | None) -> str:
        return url_for(endpoint, request_id=request_id, go=self.repeat, answer=self.banner, _anchor=anchor)
