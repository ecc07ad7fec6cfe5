"""Server-side sessions: JSON in Redis, under the id that the browser's cookie names (docs/adr/0004).

A session is loaded when it is first read and written when a view calls `save`, so that a machine's
request never touches it and a failing store meets a view that can say so. Nothing in it is secret from
the operator, and nothing of the authorization request is in it.
"""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from flask.sessions import SessionMixin

from app.domain.accounts import AccountList
from app.domain.language import Language, parse_language
from app.domain.pending_request import PendingRequest
from app.domain.registry import DataProvider
from app.sign_in import Customer
from app.stores.redis.requests import MOST_OPEN_REQUESTS
from app.stores.redis.sessions import SessionContent, SessionStore

if TYPE_CHECKING:
    from app.stores.redis.accounts import KeptAccounts

FindProvider = Callable[[str], DataProvider | None]


class BrowserSession(SessionMixin):
    """What is remembered of one browser: who signed in at which provider, and its language.

    Reading loads it; every method that reads or saves may raise StoreUnavailable.
    """

    def __init__(
        self,
        store: SessionStore,
        session_id: str | None,
        *,
        has_cookie: bool,
        cookie_language: Language | None,
        find_provider: FindProvider,
        absolute: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._id = session_id
        self._find_provider = find_provider
        self._absolute = absolute
        self._clock = clock
        self._content: SessionContent | None = None
        self._kept_accounts: KeptAccounts | None = None
        self._new_accounts: dict[str, AccountList] = {}
        self.has_cookie = has_cookie
        self.was_known = session_id is not None  # the cookie is ours; its session may have ended
        self.cookie_language = cookie_language  # known without Redis, and after the session has ended
        self.was_accessed = False
        self.cookie_to_set: str | None = None

    @property
    def id(self) -> str | None:
        """The session's id; None for a visitor without a session."""
        self._load()
        return self._id

    @property
    def is_known(self) -> bool:
        """Whether this browser has a session."""
        return self.id is not None

    @property
    def browser_id(self) -> str:
        """The id that requests are bound to. It stays at a sign-in, and changes with the person."""
        return str(self._load().setdefault("browser", _new_browser_id()))

    @property
    def language(self) -> Language:
        return parse_language(str(self._load().get("lang")))

    @language.setter
    def language(self, language: Language) -> None:
        self._load()["lang"] = language.value

    def remember_language(self, language: Language) -> None:
        """Creates a session, if there is none, and saves `language` in it."""
        if not self.is_known or self.language is not language:
            self.language = language
            self.save()

    def customer_of(self, provider_id: str) -> Customer | None:
        """The customer who is signed in at this provider; None for nobody."""
        kept = self._load().get("customers", {}).get(provider_id)
        return None if kept is None else _customer(kept)

    def has_signed_out(self, provider_id: str) -> bool:
        """Whether a customer of this provider has signed out, and none has signed in since."""
        return provider_id in self._load().get("left", [])

    def accounts_of(self, provider_id: str) -> AccountList | None:
        """The list of accounts that this session has of its customer of the provider; None without one.

        It may be too old by now (`AccountList.is_fresh_at`).
        """
        if provider_id in self._new_accounts:
            return self._new_accounts[provider_id]
        self._load()
        return None if self._kept_accounts is None else self._kept_accounts.find_list(provider_id)

    def keep_accounts(self, provider_id: str, accounts: AccountList) -> None:
        """Keeps the list of the customer who is signed in at the provider."""
        self._store.keep_accounts(str(self.id), provider_id, accounts)
        self._new_accounts[provider_id] = accounts

    def has_asked_for_accounts(self, request_id: str) -> bool:
        """Whether this browser was already sent to the bank's sign-in to get a list of accounts."""
        return request_id in self._load().get("asked", [])

    def note_asked_for_accounts(self, request_id: str) -> None:
        """Notes that this browser is sent to the bank's sign-in for the accounts, and writes the session."""
        content = self._load()
        content["asked"] = _with_newest(request_id, content.get("asked", []))
        self.save()

    def sign_in(
        self, customer: Customer, *, accounts: AccountList | None = None, asked_for: str | None = None
    ) -> None:
        """Starts a new session for the customer under a new id, and deletes the old session (ASVS 7.2.4).

        `accounts` is the list that the bank gave with this sign-in, and is kept in the same round trip.
        `asked_for` is the request for which it should give one. If it did not, it is not asked again for that
        request by itself; if it did, it is once more when the list is too old.

        When another customer was signed in at this provider, the new session has nothing of theirs and a new
        browser_id; the caller binds to it the request that the sign-in is for, if there is one. A further
        sign-in at another bank does not extend the absolute lifetime of a session.
        """
        kept = self._load()
        before = self.customer_of(customer.provider_id)
        if before is not None and before.subject != customer.subject:
            kept = {"lang": kept.get("lang")}
        customers = kept.get("customers", {})
        begun = kept["begun"] if customers else self._clock().isoformat()
        customers = {**customers, customer.provider_id: asdict(customer)}
        left = [provider_id for provider_id in kept.get("left", []) if provider_id != customer.provider_id]
        asked = [request_id for request_id in kept.get("asked", []) if request_id != asked_for]
        if asked_for is not None and accounts is None:
            asked = _with_newest(asked_for, asked)
        self._new_accounts = {} if accounts is None else {customer.provider_id: accounts}
        self._start_anew({**kept, "customers": customers, "left": left, "asked": asked, "begun": begun})

    def sign_out(self) -> None:
        """Signs everybody out, also on the server, and gives the browser a new browser_id.

        The caller binds to it the request that the next customer may answer, if there is one.
        """
        kept = self._load()
        left = sorted({*kept.get("left", []), *kept.get("customers", {})})
        self._new_accounts = {}
        self._start_anew({"lang": kept.get("lang"), "left": left})

    def save(self) -> None:
        """Writes the session. A browser without a session gets one, with an id that the server makes."""
        self._save(None)

    def save_with_request(self, pending: PendingRequest) -> PendingRequest:
        """Writes the session, and stores `pending` as this browser's newest request, in one round trip.

        Returns the stored request: where the session was ended meanwhile, it has the new browser_id.
        """
        self._save(pending)
        return replace(pending, browser_id=self.browser_id)

    def _save(self, opened: PendingRequest | None) -> None:
        content, now = self._load(), self._clock()
        content.setdefault("browser", _new_browser_id())
        if self._id is not None:
            if self._store.replace(self._id, content, opened=opened, now=now):
                if self.cookie_language is not self.language:
                    self.cookie_to_set = self._id
                return
            if content.pop("customers", None):
                # The session was ended during this request: nobody is signed in any more.
                self._new_accounts = {}
                content["browser"] = _new_browser_id()
        if opened is not None:
            opened = replace(opened, browser_id=content["browser"])
        new_id = self._store.new_id()
        self._store.save(new_id, content, opened=opened, accounts=self._new_accounts, now=now)
        self._id = self.cookie_to_set = new_id

    def _start_anew(self, content: SessionContent) -> None:
        old = self._id
        self._id = self._kept_accounts = None
        self._content = {"browser": _new_browser_id(), "begun": self._clock().isoformat(), **content}
        self.save()
        if old is not None:
            self._store.forget(old)

    def find_request(self, request_id: str) -> PendingRequest | None:
        """The pending request; None where there is none. It may belong to another browser.

        The session is loaded in the same round trip, unless it is loaded already.
        """
        self.was_accessed = True
        if self._content is not None or self._id is None:
            self._load()
            return self._store.find_request(request_id)
        found, pending, self._kept_accounts = self._store.find_with_request(self._id, request_id)
        self._take(found)
        return pending

    def _load(self) -> SessionContent:
        self.was_accessed = True
        if self._content is not None:
            return self._content
        if self._id is None:
            return self._take(None)
        found, self._kept_accounts = self._store.find_session(self._id)
        return self._take(found)

    def _take(self, found: SessionContent | None) -> SessionContent:
        if found is None or not self._is_sound(found):
            # An unknown id is never used for a new session (session fixation).
            self._id = self._kept_accounts = None
            found = {"begun": self._clock().isoformat()}
        self._content = found
        return found

    def _is_sound(self, content: SessionContent) -> bool:
        """Whether `content` has the form that `save` writes, and is not too old (ASVS 7.3.2).

        When one of the sign-ins is no longer valid, the whole session ends: requests are bound to the
        browser, and so to every customer who is signed in there.
        """
        try:
            if not all(self._is_known(_customer(kept)) for kept in content.get("customers", {}).values()):
                return False
            are_lists = all(isinstance(content.get(name, []), list) for name in ("left", "asked"))
            return are_lists and self._clock() - datetime.fromisoformat(content["begun"]) < self._absolute
        except (KeyError, TypeError, ValueError, AttributeError):
            return False

    def _is_known(self, customer: Customer) -> bool:
        """Whether the provider still has the issuer at which `customer` signed in (docs/adr/0021)."""
        provider = self._find_provider(customer.provider_id)
        return provider is not None and provider.issuer == customer.issuer

    # Flask requires that a session is a mapping, although our code does not use it as one.

    def __getitem__(self, key: str) -> Any:
        return self._as_mapping()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._as_mapping()[key] = value

    def __delitem__(self, key: str) -> None:
        del self._as_mapping()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._load())

    def __len__(self) -> int:
        return len(self._load())

    def _as_mapping(self) -> dict[str, Any]:
        return cast("dict[str, Any]", self._load())


def _customer(kept: dict[str, Any]) -> Customer:
    """The customer as `sign_in` stores it. Raises TypeError or AttributeError for any other value."""
    if not all(isinstance(value, str) for value in kept.values()):
        raise TypeError
    return Customer(**kept)


def _with_newest(request_id: str, others: list[str]) -> list[str]:
    """`request_id` before the others, of which no more are remembered than a browser may have open."""
    return [request_id, *(other for other in others if other != request_id)][:MOST_OPEN_REQUESTS]


def _new_browser_id() -> str:
    return secrets.token_urlsafe(18)
