"""The signed cookie with the id of a session and a language, as Flask reads and sets it (docs/adr/0004)."""

from collections.abc import Callable
from datetime import datetime, timedelta

from flask import Flask, Request, Response
from flask.sessions import SessionInterface, SessionMixin
from itsdangerous import BadSignature

from app.domain.language import Language, find_language
from app.signatures import make_signer
from app.stores.redis.sessions import SessionStore
from app.web.edge.sessions import BrowserSession, FindProvider


class RedisSessionInterface(SessionInterface):
    """Makes a BrowserSession for Flask. The cookie is HttpOnly and SameSite=Lax, for this host only."""

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
        """Sets the cookie when the id is new. Answers for which the session was read are never cached."""
        assert isinstance(session, BrowserSession)  # noqa: S101  # for the type checker: open_session made it
        if not session.was_accessed:
            return
        response.headers.add("Vary", "Cookie")
        if response.headers.get("Cache-Control") != "no-store":
            response.headers["Cache-Control"] = "no-store"
        if session.cookie_to_set is not None:
            # Lax: a browser would not send a Strict cookie when the recipient's page leads here.
            response.set_cookie(
                self.cookie_name,
                self._signer.sign(f"{session.cookie_to_set}.{session.language}").decode("ascii"),
                secure=self._is_https,
                httponly=True,
                samesite="Lax",
                path="/",
            )

    def _read(self, cookie: str | None) -> tuple[str | None, Language | None]:
        """The session's id and language in the cookie; None for both where the signature is not valid."""
        if cookie is None or not cookie.isascii():
            return None, None
        try:
            session_id, _, spoken = self._signer.unsign(cookie).decode("ascii").partition(".")
        except BadSignature:
            return None, None
        return session_id, find_language(spoken)
