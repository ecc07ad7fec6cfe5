"""The accounts of a customer: asked for at their bank, and read from what it answers."""


class AccountsUnavailable(Exception):
    """There is no list of accounts. `detail` is a word for the log, never taken from what was received."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail
