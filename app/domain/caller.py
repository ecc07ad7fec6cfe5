"""The authenticated caller of an endpoint for machines, and the access token that it presents."""

from dataclasses import dataclass, replace

from app.domain.dpop import Proof
from app.domain.errors import ErrorCode, OAuthError
from app.domain.registry import Client
from app.domain.single_use import SingleUse


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated client. Before anything is done for it, all of its `uses` must be spent.

    `jkt` is the thumbprint of the key that it has proven to hold (RFC 9449); None without a proof.
    """

    client: Client
    uses: tuple[SingleUse, ...] = ()
    jkt: str | None = None

    def with_proof(self, proof: Proof) -> "Caller":
        return replace(self, uses=(*self.uses, proof.use), jkt=proof.jkt)

    def require_key_for_profile(self) -> None:
        """FAPI 2.0 Security Profile 5.3.2.1-4: such a client gets no token that works without a key."""
        if self.client.is_fapi and self.jkt is None:
            raise OAuthError(ErrorCode.INVALID_REQUEST, "This client must show a DPoP proof (RFC 9449)")


@dataclass(frozen=True, slots=True)
class PresentedToken:
    """An access token in a request: as a bearer token, where `jkt` is None, or with the proof of that key."""

    access_token: str
    jkt: str | None = None
