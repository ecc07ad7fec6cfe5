"""An optional hook that wraps each call of a store in a tracing span; `trace_with` switches it on."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

Watch = Callable[[str], AbstractContextManager[object]]

_NOBODY: AbstractContextManager[object] = nullcontext()


class _Watcher:
    watch: Watch | None = None


def trace_with(watch: Watch | None) -> None:
    """From now on each call of a store, in this process, happens inside `watch`, which gets the call's name.

    The names are "redis", "ledger read" and "ledger write". None switches it off.
    """
    _Watcher.watch = watch


def store_span(what: str) -> AbstractContextManager[object]:
    """The span of one call, as a context manager that does nothing where nobody traces."""
    return _NOBODY if _Watcher.watch is None else _Watcher.watch(what)
