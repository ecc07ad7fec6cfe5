"""What HUP changes, and what it leaves as it is."""

import shutil
import signal
from pathlib import Path

import psutil
import requests

from app.development.embedded import EmbeddedValkey
from tests.support.registrations import DEMO_REGISTRY
from tests.support.running_accord import PATIENCE, RunningAccord, ServedForm


def test_a_reload_with_a_faulty_registration_changes_nothing_and_says_why(
    tmp_path: Path, valkey: EmbeddedValkey, ledger_url: str, signing_keys: Path
) -> None:
    registry = tmp_path / "registry"
    shutil.copytree(DEMO_REGISTRY.parent, registry)
    file = registry / DEMO_REGISTRY.name
    with RunningAccord(
        tmp_path / "accord.log",
        redis_url=valkey.url,
        ledger_url=ledger_url,
        signing_keys=signing_keys,
        ACCORD_REGISTRY=str(file),
    ) as accord:
        sound = file.read_text()
        for text, name in [("no TOML", "Maple Credit Union"), (sound.replace("Maple", "Acacia"), "Acacia")]:
            file.write_text(text)
            workers = accord.workers()
            accord.master.send_signal(signal.SIGHUP)
            psutil.wait_procs(workers, PATIENCE)
            with requests.Session() as browser:
                assert name in browser.get(ServedForm(accord, browser).address, timeout=PATIENCE).text
    log = accord.log.read_text()
    assert f"{file}: " in log
    assert log.count("the new configuration is faulty (SystemExit): the one before stays in force") == 1
