"""Whether a repeat request asks for nothing new, so that one press keeps what is shared."""

from app.domain.account_choice import accounts_to_keep, choose, is_enough
from app.domain.accounts import AccountList
from app.domain.agreement import make_agreement
from app.domain.consent import ConsentGrant, ConsentOffer, GrantStatus, StandingConsent, is_renewal
from app.sign_in import Customer
from app.web.consent.account_step import AccountsOnForm
from app.web.consent.open_request import OpenRequest
from app.web.current import services


def find_standing(opened: OpenRequest, customer: Customer) -> StandingConsent | None:
    """The connection in force that an approval would replace."""
    standing = services().connections.find_standing(
        provider_id=customer.provider_id,
        subject=customer.subject,
        client_id=opened.parties.client.client_id,
    )
    if standing is None or standing.grant.status_at(services().clock()) is not GrantStatus.ACTIVE:
        return None
    return standing


def what_is_kept(
    opened: OpenRequest, standing: StandingConsent | None, listed: AccountList | None
) -> AccountsOnForm | None:
    """The accounts that one press keeps, where nothing new is asked; None where it is asked with boxes."""
    if standing is None:
        return None
    pending, parties = opened.pending, opened.parties
    kept = _kept_accounts(standing.grant, listed, parties.offer)
    if kept is None or not is_renewal(
        kept.offer(parties.offer),
        standing,
        agreement=make_agreement(parties.client, parties.provider),
        lasts=pending.consent_ends_at - pending.begun_at,
    ):
        return None
    return kept


def _kept_accounts(
    grant: ConsentGrant, listed: AccountList | None, offer: ConsentOffer
) -> AccountsOnForm | None:
    """The accounts of `grant`; None where it cannot go on with the same ones.

    It cannot either where these do not have, or no longer have, what the recipient cannot work without.
    """
    if listed is None:
        return AccountsOnForm() if grant.resources is None else None
    accounts = accounts_to_keep(listed, grant)
    if not accounts or not is_enough(offer, accounts):
        return None
    return AccountsOnForm(choose(listed, accounts))
