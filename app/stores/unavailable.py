"""The one thing every store can say beside its answers."""


class StoreUnavailable(Exception):
    """Redis or the ledger did not answer, or cannot. What was asked may or may not have happened."""
