"""The consent that an introspection tells: whose data, which accounts, which clusters, and how far back."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from examples.bank.authorization_server import Unavailable

CUSTOMER_LEVEL = frozenset({"CUSTOMER_CONTACT", "CUSTOMER_PERSONAL"})
RAR_TYPE = "fdx_v1.0"  # the type of RFC 9396 under which a consent stands in an introspection
LONGEST_LOOKBACK = 36_500  # days, before which no bank has anything


class Consent(NamedTuple):
    """What introspection tells: `accounts` is None where the consent is for every account of the customer."""

    subject: str
    accounts: Mapping[str, frozenset[str]] | None
    clusters: frozenset[str]
    lookback: timedelta | None


def parse_consent(told: Mapping[str, Any]) -> Consent:
    """The consent. Raises Unavailable for an introspection that is not as documented."""
    try:
        return _parse(told)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Unavailable("the introspection is not as documented") from error


def _parse(told: Mapping[str, Any]) -> Consent:
    """The consent in an introspection: FDX resources in authorization_details (RFC 9396 9.2)."""
    subject, in_token = str(told["sub"]), frozenset(told["scope"].split(" "))
    accounts: dict[str, frozenset[str]] = {}
    of_customer: frozenset[str] = frozenset()
    details = [detail for detail in told["authorization_details"] if detail["type"] == RAR_TYPE]
    for resource in [resource for detail in details for resource in detail["consentRequest"]["resources"]]:
        clusters = in_token.intersection(resource["dataClusters"])  # a token may be for less than its consent
        if resource["resourceType"] == "ACCOUNT":
            accounts[resource["resourceId"]] = clusters - CUSTOMER_LEVEL
        elif resource["resourceType"] == "CUSTOMER" and resource["resourceId"] == subject:
            of_customer = clusters
    # A consent from before accounts were chosen has all clusters with the customer, and is for every account.
    is_for_every_account = not accounts and bool(of_customer - CUSTOMER_LEVEL)
    lookback = told.get("lookbackPeriod")
    return Consent(
        subject,
        None if is_for_every_account else accounts,
        of_customer if is_for_every_account else of_customer & CUSTOMER_LEVEL,
        None if lookback is None else timedelta(days=min(int(lookback), LONGEST_LOOKBACK)),
    )
