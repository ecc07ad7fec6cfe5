"""The tables of `make bench`: a table for each flow, and what Accord costs beside its peer and its floor."""

import platform
import statistics
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from bench.page import table

FLOWS: Final = {
    "signed in": "A browser that is signed in",
    "new browser": "A new browser, which signs in with a password for every flow",
    "bank": "A new browser, whose customer signs in at the bank's own server",
    "accounts": "A browser that is signed in, through the page of the accounts",
    "fapi": "A browser that is signed in, the FAPI way: pushed request, `private_key_jwt`, DPoP",
}
"""What is measured, by the name that a target has for it."""

MOST_OF_PEER: Final = {"signed in": 1.25, "new browser": 1.5, "fapi": 1.5}
MOST_OF_FLOOR: Final = 1.6
MOST_P99: Final = 100.0
"""Milliseconds, at half of the flows a second that there can be."""

Result = dict[str, Any]
Target = dict[str, Any]


def median(values: Iterable[float | None]) -> float | None:
    """None where there is no value."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def report(results: Sequence[Result], targets: Sequence[Target], *, rounds: int, seconds: float) -> str:
    """All tables of one run, in Markdown. `seconds` are those of each measured phase."""
    measured = {target["name"]: Measured(target, results) for target in targets}
    failed = sum(phase["fail"] for result in results for phase in result.get("phases", {}).values())
    speeds = [result["calib_ms"] for result in results if result.get("calib_ms")]
    parts = [_when(rounds, seconds, failed, speeds)]
    for flow, title in FLOWS.items():
        of_flow = [one for one in measured.values() if one.target["flow"] == flow]
        if of_flow:
            parts.append(f"**{title}**\n\n" + _of_flow(of_flow))
    compared = [row for flow in FLOWS if (row := _compared(flow, list(measured.values()))) is not None]
    if compared:
        parts.append(
            "**What Accord on PostgreSQL costs beside the others, and what it may**\n\n" + _aims(compared)
        )
    return "\n".join(parts)


def _when(rounds: int, seconds: float, failed: int, speeds: Sequence[float]) -> str:
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, medians of {rounds} rounds of {seconds:g} s, on Python"
        f" {platform.python_version()} where nothing else is said, {failed} failed flows. A fixed loop took"
        f" {_span(speeds, '.0f')} ms: on a steady machine it always takes the same time.\n"
    )


class Measured:
    """What the rounds found of one target."""

    def __init__(self, target: Target, results: Sequence[Result]) -> None:
        self.target = target
        own = [result for result in results if result["target"] == target["name"]]
        self.rounds = [result for result in own if "error" not in result]
        self.error = next((result["error"] for result in own if "error" in result), "no result")
        self.title = target["title"] or target["name"]

    def each(self, phase: str, find: Callable[[Result], float]) -> list[float]:
        """What `find` says of a phase, for each round that had it."""
        return [find(result["phases"][phase]) for result in self.rounds if phase in result["phases"]]

    def server(self, phase: str = "flow") -> list[float]:
        """CPU ms a flow of the server itself."""
        return self.each(phase, lambda found: float(found["server_cpu_ms"]))

    def stores(self) -> list[float]:
        """CPU ms a flow of Redis and PostgreSQL."""
        return self.each("flow", lambda found: _stores(found["svc_cpu_ms"], self.target["services"]))

    def whole(self) -> list[float]:
        """CPU ms a flow of the server with its stores."""
        return [sum(both) for both in zip(self.server(), self.stores(), strict=True)]

    def p99(self) -> list[float]:
        return self.each("half", lambda found: found["flow"]["p99_us"] / 1000)


def _stores(costs: dict[str, float], services: Sequence[str]) -> float:
    """The bank's server is no store: it stands for somebody else's."""
    return sum(cost for name, cost in costs.items() if name in services and name != "bank")


def _of_flow(targets: Sequence[Measured]) -> str:
    floor = next((one for one in targets if one.target["compared"] == "floor"), None)
    head = [
        "target",
        "CPU ms a flow (least to most)",
        "consent",
        "token",
        "PostgreSQL, Redis",
        "flows/s",
        "median / p99 ms at half of that",
        "PSS MB",
        "times the floor",
    ]
    return table(head, [_row(one, floor) for one in targets])


def _row(one: Measured, floor: Measured | None) -> list[str]:
    if not one.rounds:
        return [f"{one.title}: {one.error}", *[""] * 8]
    middle = one.each("half", lambda found: found["flow"]["p50_us"] / 1000)
    return [
        one.title,
        _span(one.server(), ".2f"),
        _middle(one.server("consent"), ".2f"),
        _middle(one.server("token"), ".2f"),
        _middle(one.stores(), ".2f"),
        _middle(one.each("flow", lambda found: float(found["rate"])), ".0f"),
        f"{_middle(middle, '.1f')} / {_middle(one.p99(), '.1f')}",
        _middle([result["pss_mb"] for result in one.rounds], ".0f"),
        _ratio(one.server(), floor.server() if floor else []),
    ]


def _compared(flow: str, measured: Sequence[Measured]) -> list[str] | None:
    """Accord's row of the last table; None where it was not measured in this flow."""
    found = {one.target["compared"]: one for one in measured if one.target["flow"] == flow and one.rounds}
    accord, peer, floor = found.get("accord"), found.get("peer"), found.get("floor")
    if accord is None:
        return None
    most = MOST_OF_PEER.get(flow)
    return [
        FLOWS[flow],
        _ratio(accord.server(), peer.server() if peer else []),
        _ratio(accord.whole(), peer.whole() if peer else []),
        "-" if most is None else f"{most:g}",
        _ratio(accord.server(), floor.server() if floor else []),
        _ratio(accord.whole(), floor.whole() if floor else []),
        f"{MOST_OF_FLOOR:g}",
        _middle(accord.p99(), ".0f"),
        f"{MOST_P99:g}",
    ]


def _aims(rows: list[list[str]]) -> str:
    head = [
        "flow",
        "times oidc-provider with the same promise",
        "with the stores",
        "aim",
        "times the floor of the same promise",
        "with the stores",
        "aim",
        "p99 ms",
        "aim",
    ]
    return table(head, rows)


def _middle(values: Sequence[float], form: str) -> str:
    middle = median(values)
    return "-" if middle is None else format(middle, form)


def _span(values: Sequence[float], form: str) -> str:
    if len(values) < 2:
        return _middle(values, form)
    return f"{_middle(values, form)} ({min(values):{form}}–{max(values):{form}})"


def _ratio(values: Sequence[float], others: Sequence[float]) -> str:
    one, other = median(values), median(others)
    return "-" if one is None or not other else f"{one / other:.2f}"
