"""An example page: one page in one state."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ExamplePage:
    """`name` is its address under /dev/screens; `render` gives its HTML in the language of the response."""

    name: str
    title: str
    render: Callable[[], str]
