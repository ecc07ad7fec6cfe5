"""What a journey needs of a browser. Each engine has a driver that provides it."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from tests.support.running_accord import PATIENCE

T = TypeVar("T")

_PAUSE = 0.05


class Tab(ABC):
    """One tab of a browser with an empty cookie jar. What is looked for is waited for."""

    @abstractmethod
    def open(self, address: str) -> None:
        """As if typed into the address bar."""

    @abstractmethod
    def click(self, selector: str) -> None: ...

    @abstractmethod
    def double_click(self, selector: str) -> None: ...

    @abstractmethod
    def fill(self, selector: str, text: str) -> None: ...

    @abstractmethod
    def press_back(self) -> None: ...

    @property
    @abstractmethod
    def address(self) -> str: ...

    @abstractmethod
    def find_text(self, selector: str) -> str | None:
        """The text of the first such element at this moment, if there is one."""

    def text(self, selector: str) -> str:
        return soon(lambda: self.find_text(selector), f"{selector} on a page")

    def wait_for_text(self, selector: str, text: str) -> None:
        """Waits until the first such element says `text`."""
        soon(lambda: self.find_text(selector) == text or None, f"{selector} to say {text!r}")

    def arrive_at(self, place: str) -> str:
        """Waits until an address begins with `place`, and returns it whole."""

        def find_address() -> str | None:
            address = self.address
            return address if address.startswith(place) else None

        return soon(find_address, place)


class Engine(Protocol):
    def new_tab(self, *, javascript: bool) -> AbstractContextManager[Tab]: ...


def soon(find: Callable[[], T | None], what: str) -> T:
    """What `find` returns, as soon as that is something. Raises AssertionError when patience ends."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if (found := find()) is not None:
            return found
        time.sleep(_PAUSE)
    raise AssertionError(f"waited {PATIENCE} seconds for {what}")
