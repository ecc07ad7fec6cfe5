"""Server-side sessions: a signed cookie that carries an id and a language, and JSON in Redis.

A session is loaded when it is first asked for and written when somebody says `save`, so that a machine's
request never touches it and a failing store meets a view that can say so. Nothing in it is secret from
the operator, and nothing of the authorization request is in it.
"""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any, cast

from flask import Flask, Request, Response
from flask.sessions import SessionInterface, SessionMixin
from itsdangerous import BadSignature

from app.domain.language import Language, find_language, parse_language
from app.domain.pending_request import PendingRequest
from app.domain.registry import DataProvider
from app.signatures import make_signer
from app.signin import Customer
from app.stores.redis.sessions import SessionContent, SessionStore

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
        self.has_cookie = has_cookie
        self.was_known = session_id is not None  # by a cookie of ours, whatever became of its session
        self.cookie_language = cookie_language  # known without the store, and when the session is over
        self.was_accessed = False
        self.cookie_to_set: str | None = None

    @property
    def id(self) -> str | None:
        """The session's id; None for a visitor of whom nothing is remembered."""
        self._load()
        return self._id

    @property
    def is_known(self) -> bool:
        """Whether the server remembers this browser."""
        return self.id is not None

    @property
    def browser_id(self) -> str:
        """What requests are bound to. It outlives sign-in, but not a change of person."""
        return str(self._load().setdefault("browser", _new_browser_id()))

    @property
    def language(self) -> Language:
        return parse_language(str(self._load().get("lang")))

    @language.setter
    def language(self, language: Language) -> None:
        self._load()["lang"] = language.value

    def remember_language(self, language: Language) -> None:
        """Makes sure that this browser will be known again, in the language that it reads."""
        if not self.is_known or self.language is not language:
            self.language = language
            self.save()

    def customer_of(self, provider_id: str) -> Customer | None:
        """Who has signed in at this provider."""
        kept = self._load().get("customers", {}).get(provider_id)
        return None if kept is None else _customer(kept)

    def has_signed_out(self, provider_id: str) -> bool:
        """Whether somebody signed out here and nobody has signed in at this provider since."""
        return provider_id in self._load().get("left", [])

    def sign_in(self, customer: Customer) -> None:
        """Starts a new session for the customer under a new id; the old id is dead (ASVS 7.2.4).

        When somebody else had signed in at this provider, nothing of theirs comes along: the browser gets a
        new browser_id, to which the caller binds the one request that the sign-in is for, if there is one.
        A session lasts from its first sign-in on: another one, at another bank, does not prolong it.
        """
        kept = self._load()
        before = self.customer_of(customer.provider_id)
        if before is not None and before.subject != customer.subject:
            kept = {"lang": kept.get("lang")}
        customers = kept.get("customers", {})
        begun = kept["begun"] if customers else self._clock().isoformat()
        customers = {**customers, customer.provider_id: asdict(customer)}
        left = [provider_id for provider_id in kept.get("left", []) if provider_id != customer.provider_id]
        self._start_anew({**kept, "customers": customers, "left": left, "begun": begun})

    def sign_out(self) -> None:
        """Forgets who this is, on the server too, and gives the browser a new browser_id.

        The caller binds to it the one request that stays open for whoever signs in next, if there is one.
        """
        kept = self._load()
        left = sorted({*kept.get("left", []), *kept.get("customers", {})})
        self._start_anew({"lang": kept.get("lang"), "left": left})

    def save(self) -> None:
        """Writes the session. A browser of which nothing was remembered gets an id of the server's making."""
        self._save(None)

    def save_with_request(self, pending: PendingRequest) -> PendingRequest:
        """Writes the session, and keeps `pending` as this browser's newest request, in one round trip.

        Returns the request as it is kept: where the session was ended meanwhile, it is bound to this browser
        under its new browser_id.
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
                # Ended while this request was under way: nobody is signed in any more, and nothing is theirs.
                content["browser"] = _new_browser_id()
        if opened is not None:
            opened = replace(opened, browser_id=content["browser"])
        new_id = self._store.new_id()
        self._store.save(new_id, content, opened=opened, now=now)
        self._id = self.cookie_to_set = new_id

    def _start_anew(self, content: SessionContent) -> None:
        old = self._id
        self._id = None
        self._content = {"browser": _new_browser_id(), "begun": self._clock().isoformat(), **content}
        self.save()
        if old is not None:
            self._store.forget(old)

    def find_request(self, request_id: str) -> PendingRequest | None:
        """The pending request, whoever began it.

        The session is loaded in the same round trip, unless it has been.
        """
        self.was_accessed = True
        if self._content is not None or self._id is None:
            self._load()
            return self._store.find_request(request_id)
        found, pending = self._store.find_with_request(self._id, request_id)
        self._take(found)
        return pending

    def _load(self) -> SessionContent:
        self.was_accessed = True
        if self._content is None:
            return self._take(None if self._id is None else self._store.find_session(self._id))
        return self._content

    def _take(self, found: SessionContent | None) -> SessionContent:
        if found is None or not self._is_sound(found):
            self._id = None  # an id that the server does not know is never adopted
            found = {"begun": self._clock().isoformat()}
        self._content = found
        return found

    def _is_sound(self, content: SessionContent) -> bool:
        """Whether `content` is what `save` writes, and not too old (ASVS 7.3.2).

        With one sign-in all of it ends, since what is bound to this browser is bound to whoever signed in.
        """
        try:
            if not all(self._is_known(_customer(kept)) for kept in content.get("customers", {}).values()):
                return False
            has_left = isinstance(content.get("left", []), list)
            return has_left and self._clock() - datetime.fromisoformat(content["begun"]) < self._absolute
        except (KeyError, TypeError, ValueError, AttributeError):
            return False

    def _is_known(self, customer: Customer) -> bool:
        """Whether their provider's customers are still those of the issuer that said who this is."""
        provider = self._find_provider(customer.provider_id)
        return provider is not None and provider.issuer == customer.issuer

    # Flask's type of a session is a mapping, though nothing of ours uses it as one.

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
    """Raises TypeError, and so on, for anything but what `sign_in` keeps."""
    if not all(isinstance(value, str) for value in kept.values()):
        raise TypeError
    return Customer(**kept)


def _new_browser_id() -> str:
    return secrets.token_urlsafe(18)


class RedisSessionInterface(SessionInterface):
    """Flask's way to `BrowserSession`. The cookie is HttpOnly, SameSite=Lax, for this host only."""

    def __init__(
        self,
        store: SessionStore,
        secret_keys: list[str],
        find_provider: FindProvider,
        *,
        is_https: bool,
        absolute: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._signer = make_signer(secret_keys, "session")
        self._find_provider = find_provider
        self._is_https = is_https
        self._absolute = absolute
        self._clock = clock
        self.cookie_name = "__Host-accord" if is_https else "accord"

    def open_session(self, app: Flask, request: Request) -> BrowserSession:
        cookie = request.cookies.get(self.cookie_name)
        session_id, spoken = self._read(cookie)
        return BrowserSession(
            self._store,
            session_id,
            has_cookie=bool(cookie),
            cookie_language=spoken,
            find_provider=self._find_provider,
            absolute=self._absolute,
            clock=self._clock,
        )

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Sets the cookie when the id is new; whatever a session was read for is private to one browser."""
        assert isinstance(session, BrowserSession)  # noqa: S101  # for the type checker: open_session made it
        if not session.was_accessed:
            return
        response.headers.add("Vary", "Cookie")
        if response.headers.get("Cache-Control") != "no-store":
            response.headers["Cache-Control"] = "no-store"
        if session.cookie_to_set is not None:
            # Lax, since Strict is lost when the recipient's page sends the browser here.
            response.set_cookie(
                self.cookie_name,
                self._signer.sign(f"{session.cookie_to_set}.{session.language}").decode("ascii"),
                secure=self._is_https,
                httponly=True,
                samesite="Lax",
                path="/",
            )

    def _read(self, cookie: str | None) -> tuple[str | None, Language | None]:
        """The session's id and its language, as they were signed here."""
        if cookie is None or not cookie.isascii():
            return None, None
        try:
            session_id, _, spoken = self._signer.unsign(cookie).decode("ascii").partition(".")
        except BadSignature:
            return None, None
        return session_id, find_language(spoken)
