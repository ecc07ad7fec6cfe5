"""flowload as an object: whole consent flows, again and again, against an Accord that runs already."""

import json
import subprocess
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any, Self

BENCH = Path(__file__).resolve().parent
TARGET = BENCH / "targets" / "accord.json"


def _run_bench() -> Any:
    """The program bench/run_bench as a module: it knows how a target becomes flowload's configuration."""
    loader = SourceFileLoader("run_bench", str(BENCH / "run_bench"))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


run_bench = _run_bench()


class LoadGenerator:
    """As a context manager: a process that waits for `run`; so many browsers, each a customer of its own.

    The server must have what bench/accord/prepare.py registers. With `is_fresh` every flow is a new browser's, which
    has to sign in. `directory` gets the program and its configuration. Needs a C compiler.
    """

    def __init__(self, directory: Path, *, port: int, browsers: int, is_fresh: bool) -> None:
        run_bench.WORK = directory
        target = {**run_bench.load(TARGET)[0], "port": port, "fresh": is_fresh}
        self._configuration = directory / "flowload.conf"
        self._configuration.write_text(run_bench.conf_text(target, browsers), encoding="utf-8")
        self._browsers = browsers

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(  # noqa: S603  # the program was built here
            [run_bench.flowload_bin(), str(self._configuration)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate("quit\n")

    def sign_in(self) -> None:
        """One flow of each browser, one after the other. Raises RuntimeError when one fails."""
        answer = self._ask("setup")
        if answer["fail"]:
            raise RuntimeError(f"the first flows failed: {answer}")

    def run(self, seconds: float) -> tuple[int, int]:
        """Flows of all browsers at once for `seconds`: how many ended well, and how many did not.

        Returns when the last of them has ended: nothing is under way then.
        """
        answer = self._ask(f"run load flow {seconds} {self._browsers}")
        return answer["ok"], answer["fail"]

    def _ask(self, command: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the load generator has ended")
        answer: dict[str, Any] = json.loads(line)
        return answer
