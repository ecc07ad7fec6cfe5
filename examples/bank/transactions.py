"""What has happened in an account: 24 months, always the same for the same customer, account and day."""

from collections.abc import Iterator
from datetime import date, timedelta
from hashlib import sha256
from random import Random
from typing import Any, NamedTuple

from examples.bank.customers import Account

HISTORY = timedelta(days=730)


class Habit(NamedTuple):
    """Something that happens `times` a month, between two amounts in dollars. A negative amount comes in."""

    en: str
    fr: str
    times: int
    least: float
    most: float


_PAY = Habit("Payroll, Prairie Wind Energy", "Paie, Énergie Vent des Prairies", 2, -2400, -2400)
_HABITS = {
    "CHECKING": (
        _PAY,
        Habit("Rent", "Loyer", 1, 1450, 1450),
        Habit("Groceries, Corner Market", "Épicerie, Marché du Coin", 7, 28, 160),
        Habit("Hydro", "Électricité", 1, 70, 140),
        Habit("Transit pass", "Titre de transport", 1, 97, 97),
        Habit("Phone", "Téléphone", 1, 58, 58),
        Habit("Coffee", "Café", 6, 3, 9),
    ),
    "SAVINGS": (
        Habit("Transfer from chequing", "Virement du compte chèques", 1, -300, -50),
        Habit("Interest", "Intérêts", 1, -18, -2),
    ),
    "CREDITCARD": (
        Habit("Restaurant, Chez Lise", "Restaurant Chez Lise", 4, 22, 95),
        Habit("Pharmacy", "Pharmacie", 2, 8, 60),
        Habit("Bookshop", "Librairie", 1, 15, 70),
        Habit("Train ticket", "Billet de train", 1, 45, 190),
        Habit("Payment, thank you", "Paiement, merci", 1, -900, -300),
    ),
    "MORTGAGE": (Habit("Mortgage payment", "Versement hypothécaire", 1, -1620, -1620),),
}
_OTHERWISE = (Habit("Contribution", "Cotisation", 1, -250, -250),)


def transactions(
    subject: str, account: Account, *, first: date | None, today: date, language: str
) -> list[dict[str, Any]]:
    """The transactions from the day `first` on, in FDX's shape, the newest first; None: all of them."""
    first = max(first or date.min, today - HISTORY)
    found = [
        transaction
        for month in _months(first, today)
        for transaction in _of_month(subject, account, month, language)
        if first.isoformat() <= transaction["postedTimestamp"][:10] <= today.isoformat()
    ]
    return sorted(found, key=lambda transaction: str(transaction["postedTimestamp"]), reverse=True)


def _months(first: date, last: date) -> Iterator[date]:
    month = first.replace(day=1)
    while month <= last:
        yield month
        month = (month + timedelta(days=31)).replace(day=1)


def _of_month(subject: str, account: Account, month: date, language: str) -> Iterator[dict[str, Any]]:
    seed = f"{subject}/{account.account_id}/{month:%Y-%m}"
    lots = Random(seed)  # noqa: S311  # the same each time, on purpose
    habits = [habit for habit in _HABITS.get(account.type, _OTHERWISE) for _ in range(habit.times)]
    for number, habit in enumerate(habits):
        amount = round(lots.uniform(habit.least, habit.most), 2)
        day = month.replace(day=lots.randint(1, 28))
        moment = f"{day.isoformat()}T{lots.randint(12, 22):02}:{lots.randint(0, 59):02}:00.000Z"
        yield {
            "accountCategory": account.category,
            "transactionId": sha256(f"{seed}/{number}".encode()).hexdigest()[:20],
            "postedTimestamp": moment,
            "transactionTimestamp": moment,
            "description": habit.fr if language == "fr" else habit.en,
            "debitCreditMemo": "DEBIT" if amount > 0 else "CREDIT",
            "status": "POSTED",
            "amount": abs(amount),
        }
