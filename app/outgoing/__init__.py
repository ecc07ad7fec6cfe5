"""Calls to servers of banks and recipients: each ends in time, and no answer is trusted."""


class CallFailed(Exception):
    """The server gave no answer that could be used, or was not asked.

    `detail` is a word for the log, never taken from what was received. `is_busy` says that too many calls to
    this server are under way already.
    """

    def __init__(self, detail: str, *, is_busy: bool = False) -> None:
        super().__init__(detail)
        self.detail = detail
        self.is_busy = is_busy
