"""What the guard of the example bank costs: `.venv/bin/python -m bench.guard`. Figures for docs/banks.md.

Times are those of one thread's CPU, medians of ROUNDS; the authorization server is a stand-in of the tests.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from statistics import median
from time import thread_time

from werkzeug.test import create_environ, run_wsgi_app

from examples.bank.app import create_bank
from examples.bank.authorization_server import AuthorizationServer
from examples.bank.customers import read_banks
from examples.bank.fields import FieldFilter
from examples.bank.guard import Decision, Guard
from examples.bank.wsgi_guard import WsgiGuard
from tests.examples.stand_in import ALL, AUDIENCE, CREDENTIALS, StandIn, account_resource
from tests.support.registrations import DEMO_REGISTRY

ROUNDS = 2_000
TRANSACTIONS = 500
WORDS = ("chequing", "joint", "savings", "card", "mortgage")
NOW = datetime.now(UTC)


def milliseconds(work: Callable[[], object], *, rounds: int = ROUNDS) -> float:
    """The CPU that one call takes in this thread."""
    found = []
    for _ in range(rounds):
        begun = thread_time()
        work()
        found.append(thread_time() - begun)
    return median(found) * 1_000


def decision_cost(accounts: int, *, withdrawal_delay: int) -> float:
    """A call for transactions, under a consent for so many accounts."""
    with StandIn() as accord:
        resources = [account_resource(f"acc-{number}", *ALL[:6]) for number in range(accounts)]
        token = accord.grant(*resources, token=accord.sign(exp=2**40))
        server = AuthorizationServer(
            accord.issuer, *CREDENTIALS, withdrawal_delay=timedelta(seconds=withdrawal_delay)
        )
        guard = Guard(AUDIENCE, server)
        headers = [("Authorization", f"Bearer {token}")]

        def decide() -> None:
            assert guard.decide("GET", "/accounts/acc-0/transactions", "", headers, NOW).allowed

        decide()
        return milliseconds(decide, rounds=ROUNDS if withdrawal_delay else 300)


def filter_cost() -> float:
    """A page of transactions: read, reduced and written."""
    transaction = {
        "accountCategory": "DEPOSIT_ACCOUNT",
        "transactionId": "3f2a6f0e7f634a0e9a54",
        "postedTimestamp": "2026-11-05T14:32:00.000Z",
        "transactionTimestamp": "2026-11-05T14:32:00.000Z",
        "description": "Groceries, Corner Market",
        "debitCreditMemo": "DEBIT",
        "status": "POSTED",
        "amount": 83.12,
    }
    body = json.dumps({"page": {}, "transactions": [transaction] * TRANSACTIONS})
    fields, decision = FieldFilter.read(), Decision(allowed=True, fields="whole")
    return milliseconds(lambda: json.dumps(fields.reduce(json.loads(body), decision)).encode(), rounds=300)


def request_cost() -> float:
    """A list of accounts with details: the guard, the example bank's application, and the filter."""
    with StandIn() as accord:
        resources = [account_resource(f"acc-maple-0001-{word}", *ALL[:6]) for word in WORDS]
        token = accord.grant(*resources, token=accord.sign(exp=2**40))
        server = AuthorizationServer(accord.issuer, *CREDENTIALS, withdrawal_delay=timedelta(seconds=30))
        [maple] = [bank for bank in read_banks(DEMO_REGISTRY) if bank.audience == AUDIENCE]
        application = WsgiGuard(
            create_bank(maple, lambda: NOW).wsgi_app,
            Guard(AUDIENCE, server),
            FieldFilter.read(),
            clock=lambda: NOW,
        )
        environ = create_environ("/accounts?resultType=details", headers={"Authorization": f"Bearer {token}"})

        def ask() -> None:
            body, status, _ = run_wsgi_app(application, environ, buffered=True)
            assert status == "200 OK", list(body)

        ask()
        return milliseconds(ask)


def main() -> None:
    whole = request_cost()
    print(f"a list of {len(WORDS)} accounts: {whole:.2f} ms, {1_000 / whole:,.0f} a second and core")
    for accounts in (5, 200):
        kept, asked = (decision_cost(accounts, withdrawal_delay=delay) for delay in (30, 0))
        print(
            f"{accounts:3} accounts: {kept:.2f} ms, {1_000 / kept:,.0f} decisions a second and core;", end=" "
        )
        print(f"with an introspection {asked:.2f} ms")
    print(f"{TRANSACTIONS} transactions: {filter_cost():.2f} ms")


if __name__ == "__main__":
    main()
