"""Sign-in at a bank's own OpenID Connect server: the authorization code flow with PKCE, state and nonce.

Authlib writes the way to the bank, and joserfc checks the signatures. Which answers are believed is decided
here.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from authlib.oauth2.client import OAuth2Client
from joserfc.jwk import Key

from app.domain.account_sources import CustomerSource
from app.domain.accounts import AccountList
from app.domain.language import Language
from app.domain.registry import DataProvider, OidcRegistration
from app.domain.sign_in import PendingSignIn
from app.outgoing import CallFailed
from app.outgoing.bulkhead import Bulkhead, Found
from app.outgoing.deadline import Deadline
from app.sign_in import BankAnswer, Cause, Customer, Departure, SignedIn, SignInFailed, id_token
from app.sign_in.errors import NOBODY, known_error
from app.sign_in.server import OidcServer, ServerMetadata
from app.sign_in.token_endpoint import ask_for_tokens, bearer_token

AskForAccounts = Callable[[DataProvider, BankAnswer, Deadline], AccountList | None]


@dataclass(frozen=True, slots=True)
class _Bank:
    """One provider's server, Accord's registration there, and the bulkhead of its calls."""

    provider_id: str
    registration: OidcRegistration
    redirect_uri: str
    server: OidcServer
    bulkhead: Bulkhead


class OidcSignIn:
    """Signs customers in at the providers that have a server of their own.

    Each comes back at an address of its own, which is `callback` and its provider_id: of two banks that share
    one, a lying bank could have the other's codes brought to it (RFC 9700 4.4.2).
    Each call to a provider takes a slot of its bulkhead, which `bulkheads` has by provider_id. In the slot of
    the call that redeems the code, `ask_for_accounts` fetches the accounts, if the bank gives them then.
    """

    def __init__(
        self,
        providers: Iterable[DataProvider],
        *,
        callback: str,
        bulkheads: Mapping[str, Bulkhead],
        ask_for_accounts: AskForAccounts,
        clock: Callable[[], datetime],
    ) -> None:
        self._clock = clock
        self._ask_for_accounts = ask_for_accounts
        self._banks = {
            provider.provider_id: _Bank(
                provider.provider_id,
                provider.oidc,
                f"{callback}/{provider.provider_id}",
                OidcServer(provider.oidc.issuer, clock=clock),
                bulkheads[provider.provider_id],
            )
            for provider in providers
            if provider.oidc is not None
        }

    def begin(
        self,
        provider: DataProvider,
        *,
        browser_id: str,
        request_id: str | None,
        language: Language,
        must_ask_again: bool,
    ) -> Departure:
        """Makes state, nonce and verifier for this sign-in alone."""
        bank = self._bank(provider)
        metadata = bank.server.known_metadata() or _wait_for(bank, bank.server.metadata)
        pending = PendingSignIn(
            state=secrets.token_urlsafe(32),
            browser_id=browser_id,
            provider_id=provider.provider_id,
            issuer=metadata.issuer,
            request_id=request_id,
            nonce=secrets.token_urlsafe(32),
            code_verifier=secrets.token_urlsafe(48),
            must_ask_again=must_ask_again,
            begun_at=self._clock(),
        )
        # A right to the accounts is asked for where they will be needed, and not to see what is shared.
        scopes = _scopes_for_accounts(provider) if request_id is not None else ()
        url, _ = self._client(bank, scopes).create_authorization_url(
            metadata.authorization_endpoint,
            state=pending.state,
            code_verifier=pending.code_verifier,  # only its S256 challenge is sent (RFC 7636)
            nonce=pending.nonce,
            ui_locales=f"{language.value}-CA {language.value}",
            # With max_age the token must say when that was, so that a bank which has not asked is noticed.
            **({"prompt": "login", "max_age": 0} if must_ask_again else {}),
        )
        return Departure(url, pending)

    def finish(self, provider: DataProvider, pending: PendingSignIn, answer: Mapping[str, str]) -> SignedIn:
        bank = self._bank(provider)
        return _wait_for(bank, lambda deadline: self._finish(provider, bank, pending, answer, deadline))

    def _finish(
        self,
        provider: DataProvider,
        bank: _Bank,
        pending: PendingSignIn,
        answer: Mapping[str, str],
        deadline: Deadline,
    ) -> SignedIn:
        metadata = bank.server.metadata(deadline)
        code = check_answer(answer, metadata)
        tokens = self._redeem(bank, metadata, code, pending, deadline)
        access_token = tokens.get("access_token")
        claims = id_token.verify(
            tokens.get("id_token"),
            id_token.Expected(
                issuer=metadata.issuer,
                client_id=bank.registration.client_id,
                nonce=pending.nonce,
                begun_at=pending.begun_at,
                must_ask_again=pending.must_ask_again,
                access_token=access_token if isinstance(access_token, str) else None,
            ),
            find_key=lambda kid, algorithm: _key(bank, kid, algorithm, deadline),
            now=self._clock(),
        )
        subject = id_token.subject_of(claims)
        customer = Customer(bank.provider_id, metadata.issuer, subject, id_token.name_of(claims))
        if pending.request_id is None:
            return SignedIn(customer, None)
        told = BankAnswer(
            subject=subject,
            claims=claims,
            access_token=bearer_token(tokens),
            userinfo_endpoint=metadata.userinfo_endpoint,
        )
        return SignedIn(customer, self._ask_for_accounts(provider, told, deadline))

    def _bank(self, provider: DataProvider) -> _Bank:
        if provider.is_left_out:
            raise SignInFailed(Cause.UNAVAILABLE, "left_out")
        return self._banks[provider.provider_id]

    def _redeem(
        self, bank: _Bank, metadata: ServerMetadata, code: str, pending: PendingSignIn, deadline: Deadline
    ) -> Mapping[str, Any]:
        """The token endpoint's answer (RFC 6749 4.1.3)."""
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": bank.redirect_uri,
            "code_verifier": pending.code_verifier,
        }
        return ask_for_tokens(
            metadata.token_endpoint,
            fields,
            client_id=bank.registration.client_id,
            client_secret=bank.registration.client_secret,
            takes_basic=metadata.takes_basic,
            deadline=deadline,
        )

    def _client(self, bank: _Bank, more_scopes: Iterable[str]) -> OAuth2Client:
        return OAuth2Client(
            None,
            bank.registration.client_id,
            redirect_uri=bank.redirect_uri,
            scope=" ".join(dict.fromkeys((*bank.registration.scopes, *more_scopes))),
            code_challenge_method="S256",
        )


def _wait_for(bank: _Bank, ask: Callable[[Deadline], Found]) -> Found:
    """What `ask` returns; it takes a slot of the bank's bulkhead. Raises SignInFailed."""
    try:
        return bank.bulkhead.wait_for(ask)
    except CallFailed as failed:
        raise SignInFailed(Cause.BUSY if failed.is_busy else Cause.UNAVAILABLE, failed.detail) from failed


def check_answer(answer: Mapping[str, str], metadata: ServerMetadata) -> str:
    """The code in the bank's answer. Raises SignInFailed.

    Whose answer it is comes first: until then nothing in it is believed, errors included (RFC 9207 2.4).
    """
    if ("iss" in answer or metadata.names_itself) and answer.get("iss") != metadata.issuer:
        raise SignInFailed(Cause.UNPROVEN, "answer_of_another")
    error = answer.get("error")
    if error is not None:
        raise SignInFailed(Cause.REFUSED if error in NOBODY else Cause.UNAVAILABLE, known_error(error))
    if "code" not in answer:
        raise SignInFailed(Cause.UNPROVEN, "no_code")
    return answer["code"]


def _scopes_for_accounts(provider: DataProvider) -> tuple[str, ...]:
    source = None if provider.accounts is None else provider.accounts.source
    return source.scopes if isinstance(source, CustomerSource) else ()


def _key(bank: _Bank, kid: str | None, algorithm: str, deadline: Deadline) -> Key:
    return bank.server.find_key(kid, algorithm, deadline)
