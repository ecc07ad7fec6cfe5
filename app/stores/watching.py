"""Who wants to know how long the stores take: nobody, unless `watch_with` was called."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

Watch = Callable[[str], AbstractContextManager[object]]

_NOBODY: AbstractContextManager[object] = nullcontext()


class _Watcher:
    watch: Watch | None = None


def watch_with(watch: Watch | None) -> None:
    """From now on, in this process, each use of a store happens inside `watch("redis")` or the like."""
    _Watcher.watch = watch


def watched(what: str) -> AbstractContextManager[object]:
    return _NOBODY if _Watcher.watch is None else _Watcher.watch(what)
