"""An optional hook that wraps each use of a store in a tracing span. Off until `trace_with` is called."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

Watch = Callable[[str], AbstractContextManager[object]]

_NOBODY: AbstractContextManager[object] = nullcontext()


class _Watcher:
    watch: Watch | None = None


def trace_with(watch: Watch | None) -> None:
    """From now on, in this process, each use of a store happens inside `watch("redis")` or the like."""
    _Watcher.watch = watch


def store_span(what: str) -> AbstractContextManager[object]:
    return _NOBODY if _Watcher.watch is None else _Watcher.watch(what)
