"""What is shipped for operators does what it says: nginx's configuration and the unit of systemd, as they are."""

import json
import os
import re
import runpy
import shutil
import socket
import socketserver
import ssl
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import requests
import yaml

from app.development.embedded import EmbeddedValkey
from app.domain.networks import may_be_reached
from app.stores.ledger import migrations
from app.web.edge.concurrency import THREADS_PER_SLOT
from tests.support.builders import a_query
from tests.support.customer import carried_params
from tests.support.nginx import Nginx
from tests.support.page_contract import parse_page
from tests.support.ports import free_port
from tests.support.production import (
    DEPLOY,
    Production,
    copied_into_the_container,
    in_production,
    make_release,
)
from tests.support.registrations import DEMO_REGISTRY
from tests.support.repository import ROOT
from tests.support.running_accord import PATIENCE, ServedForm, redeem_at
from tests.support.systemd import HasEnded, read_environment, read_unit
from tests.support.waiting import wait_until

MARK = "marked-secret-value"
AUTHORIZE = "/api/v1/authorize"
PATHS = yaml.safe_load((ROOT / "app" / "openapi.yaml").read_text(encoding="utf-8"))["paths"]
MACHINES = [path for path in PATHS if path.startswith(("/api/", "/.well-known/")) and path != AUTHORIZE]
"""What nothing but programs asks for."""


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory, signing_keys: Path) -> Iterator[Production]:
    directory = tmp_path_factory.mktemp("production")
    registry = directory / "registry.toml"
    registry.write_bytes(DEMO_REGISTRY.read_bytes())
    ledger_url = f"sqlite:///{directory}/ledger.sqlite3"
    migrations.upgrade(ledger_url)
    with (
        EmbeddedValkey(directory / "valkey") as valkey,
        in_production(
            directory,
            redis_url=valkey.url,
            ledger_url=ledger_url,
            signing_keys=signing_keys,
            ACCORD_REGISTRY=str(registry),
        ) as running,
    ):
        yield running


@pytest.fixture
def browser() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


# nginx


def test_the_configuration_is_one_that_nginx_takes(production: Production) -> None:
    checked = production.nginx.check()
    assert checked.returncode == 0, checked.stderr
    assert "duplicate" not in checked.stderr


def test_a_whole_flow_goes_over_tls_as_the_issuer_says(
    production: Production, browser: requests.Session
) -> None:
    form = ServedForm(production, browser)
    cookie: Any = next(iter(browser.cookies))
    assert cookie.name.startswith("__Host-")
    assert (cookie.secure, cookie.path, cookie.domain_specified) == (True, "/", False)
    answer = carried_params(form.send("approve").headers["Location"])
    assert answer["iss"] == production.address
    assert redeem_at(production, answer["code"]).status_code == 200
    assert production.get("/.well-known/oauth-authorization-server").json()["issuer"] == production.address


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_is_1_2_or_1_3_and_http_2_is_offered(production: Production, version: ssl.TLSVersion) -> None:
    with tls_connection(production, version=version) as connection:
        assert connection.version() == version.name.replace("_", ".")
        assert connection.selected_alpn_protocol() == "h2"


def test_who_names_another_host_is_not_even_shown_a_certificate(production: Production) -> None:
    with (
        pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"),
        tls_connection(production, name="other.example"),
    ):
        pass


def test_plain_http_leads_to_https(production: Production) -> None:
    address = f"http://localhost:{production.nginx.plain_port}/connections"
    answer = requests.get(address, timeout=PATIENCE, allow_redirects=False)
    assert answer.status_code == 308
    assert answer.headers["Location"] == f"{production.address}/connections"


@contextmanager
def tls_connection(
    production: Production, *, name: str = "localhost", version: ssl.TLSVersion | None = None
) -> Iterator[ssl.SSLSocket]:
    context = ssl.create_default_context(cafile=str(production.nginx.certificates.authority))
    if version is None:
        context.set_alpn_protocols(["http/1.1"])
    else:
        context.minimum_version = context.maximum_version = version
        context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", production.nginx.port), timeout=PATIENCE) as connection,
        context.wrap_socket(connection, server_hostname=name) as inside,
    ):
        yield inside


@pytest.mark.parametrize(
    "begun",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        b"POST /api/v1/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\ngrant_type=",
    ],
    ids=["header", "body"],
)
def test_fifty_clients_that_are_slow_hold_nobody_up(production: Production, begun: bytes) -> None:
    with ExitStack() as open_ones:
        slow = [open_ones.enter_context(tls_connection(production)) for _ in range(50)]
        for connection in slow:
            connection.sendall(begun)
        time.sleep(0.2)
        for connection in slow:
            connection.sendall(b"x")
        for _ in range(5):
            asked_at = time.monotonic()
            assert production.get("/readyz").status_code == 200
            assert time.monotonic() - asked_at < 5


@pytest.mark.parametrize("length", [7000, 8100])
def test_a_request_line_of_eight_thousand_bytes_passes(production: Production, length: int) -> None:
    query = a_query(state="x") + "&" + urlencode({"ignored": ""})
    padding = length - len(f"GET /api/v1/authorize?{query} HTTP/1.1")
    assert production.get(f"/api/v1/authorize?{query}{'a' * padding}").status_code == 302


def test_what_is_too_large_is_said_to_people_in_both_languages(production: Production) -> None:
    answers = {
        414: requests.get(f"{production.address}/connections?{'a' * 20_000}", timeout=PATIENCE),
        431: requests.get(f"{production.address}/connections", headers={"X": "a" * 20_000}, timeout=PATIENCE),
        413: requests.post(f"{production.address}/sign-out", data=b"a" * 100_000, timeout=PATIENCE),
    }
    for status, answer in answers.items():
        assert answer.status_code == status
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        page = parse_page(answer.text)
        assert page.one("h1").text.startswith("What your browser sent is too large.")
        assert page.one("h2").text.startswith("Ce que votre navigateur a envoyé est trop volumineux.")
        assert "Nothing new was shared." in page.text
        assert "Aucune nouvelle donnée n’a été partagée." in page.text
        assert answer.headers["ob-trace-id"] in answer.text
    assert "delete the cookies of this site" in answers[431].text
    assert "Supprimez les témoins de ce site" in answers[431].text


@pytest.mark.parametrize("length", [8_250, 12_000, 15_900])
def test_cookies_of_the_banks_other_sites_keep_nobody_out(production: Production, length: int) -> None:
    cookies = {"Cookie": "other=" + "a" * (length - len("other="))}
    answer = requests.get(f"{production.address}/connections", headers=cookies, timeout=PATIENCE)
    assert answer.status_code == 200, answer.text
    assert parse_page(answer.text).one("h1").text == "Data sharing"


def test_a_flood_from_one_address_ends_at_the_proxy_in_both_languages(production: Production) -> None:
    """Here loopback is an address like any other."""
    with Nginx(production.service.port, changes={"127.0.0.0/8 0;": "127.0.0.0/8 1;"}) as nginx:
        authority = str(nginx.certificates.authority)
        with requests.Session() as session:
            session.verify = authority
            session.trust_env = False

            def get(path: str) -> requests.Response:
                return session.get(f"{nginx.address}{path}", timeout=PATIENCE, allow_redirects=False)

            answers = [get("/connections/sign-in/nobody") for _ in range(400)]
            turned_away = [answer for answer in answers if answer.status_code == 429]
            assert 404 in {answer.status_code for answer in answers}
            assert turned_away
            page = parse_page(turned_away[-1].text)
            assert "Too many requests come from your address" in page.one("h1").text
            assert "Trop de demandes proviennent de votre adresse" in page.one("h2").text
            assert "Nothing new was shared." in page.text
            assert turned_away[-1].headers["Retry-After"] == "60"
            assert get("/complaints").status_code == 200


def test_readiness_is_nobodys_business_outside_this_machine(production: Production) -> None:
    with Nginx(production.service.port, changes={"allow 127.0.0.0/8;": "", "allow ::1;": ""}) as nginx:
        answer = requests.get(
            f"{nginx.address}/readyz", timeout=PATIENCE, verify=str(nginx.certificates.authority)
        )
        assert answer.status_code == 404


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_both_families_of_addresses_are_answered(production: Production, address: str) -> None:
    with socket.create_connection((address, production.nginx.port), timeout=PATIENCE):
        pass


@pytest.mark.parametrize("path", MACHINES)
def test_what_is_too_large_is_said_to_machines_in_json(production: Production, path: str) -> None:
    answer = requests.post(f"{production.address}{path}", data=b"a" * 100_000, timeout=PATIENCE)
    assert answer.status_code == 413
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()["error"] == "invalid_request"


def test_files_and_pages_come_compressed_and_files_stay_for_a_year(
    production: Production, browser: requests.Session
) -> None:
    form = ServedForm(production, browser)
    page = browser.get(form.address, timeout=PATIENCE)
    assert page.headers["Content-Encoding"] == "gzip"
    assert page.headers["Cache-Control"] == "no-store"
    styles = [link.attributes["href"] for link in parse_page(page.text).all("link", rel="stylesheet")]
    assert len(styles) == 2, "ours, and the bank's colours"
    for style in styles * 2:
        sheet = production.get(style)
        assert sheet.headers["Content-Encoding"] == "gzip"
        assert sheet.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_the_access_log_is_json_and_has_no_query(production: Production) -> None:
    production.get(f"/api/v1/authorize?{a_query(state=MARK)}")
    production.get(f"/connections?{quote(MARK)}")
    requests.get(f"{production.address}/{'a' * 20_000}?{MARK}", timeout=PATIENCE)
    production.get("/last")
    deadline = time.monotonic() + PATIENCE
    while '"path":"/last"' not in production.nginx.access_log.read_text():
        assert time.monotonic() < deadline
    lines = [json.loads(line) for line in production.nginx.access_log.read_text().splitlines()]
    assert {"/api/v1/authorize", "/connections", "/last"} <= {line["path"] for line in lines}
    assert all(len(line["trace_id"]) == 32 for line in lines if line["path"] == "/last")
    assert MARK not in production.nginx.access_log.read_text() + production.nginx.error_log.read_text()


# nginx, and whoever is behind it


class Behind:
    """A server behind nginx that keeps what it was sent, and answers or hangs up.

    It answers a request for `/slow` when `go_on` is set.
    """

    def __init__(self, *, hangs_up: bool = False) -> None:
        self.heard: list[str] = []
        self.go_on = threading.Event()
        heard, go_on = self.heard, self.go_on

        class Connection(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                request = self.request.recv(65536).decode()
                heard.append(request)
                if request.startswith("GET /slow "):
                    go_on.wait(PATIENCE)
                if not hangs_up:
                    self.request.sendall(
                        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
                    )

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Connection)
        self._server.daemon_threads = True

    @property
    def port(self) -> int:
        port: int = self._server.server_address[1]
        return port

    def __enter__(self) -> "Behind":
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def ask(nginx: Nginx, method: str = "GET", path: str = "/", **headers: str) -> requests.Response:
    """The answer, once nginx listens."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return requests.request(
                method,
                f"{nginx.address}{path}",
                headers=headers,
                verify=str(nginx.certificates.authority),
                timeout=PATIENCE,
            )
        except requests.ConnectionError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_what_a_client_says_about_proxies_does_not_arrive() -> None:
    claimed = ["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Real-IP"]
    with Behind() as server, Nginx(server.port) as nginx:
        ask(nginx, **dict.fromkeys([*claimed, "X-Forwarded-Proto", "Forwarded"], MARK))
        (heard,) = server.heard
    headers = dict(line.split(": ", 1) for line in heard.split("\r\n")[1:] if line)
    assert MARK not in heard
    assert headers["X-Forwarded-For"] == "127.0.0.1"
    assert headers["Host"] == "localhost"
    assert headers["Connection"] == "close"


def test_a_post_that_was_sent_is_never_sent_again_and_what_only_reads_is() -> None:
    with Behind(hangs_up=True) as dying, Behind() as living, Nginx(dying.port, living.port) as nginx:
        reads = [ask(nginx, "GET").status_code for _ in range(4)]
        assert reads == [200] * 4
        assert len(dying.heard) > 0
        dying.heard.clear()
        living.heard.clear()
        posts = [ask(nginx, "POST").status_code for _ in range(12)]
        assert posts.count(503) == len(dying.heard) > 0
        assert posts.count(200) == len(living.heard) == len(posts) - len(dying.heard)


def test_an_instance_that_refuses_the_connection_is_passed_over_even_by_a_post() -> None:
    with Behind() as living, Nginx(free_port(), living.port) as nginx:
        assert [ask(nginx, "POST").status_code for _ in range(4)] == [200] * 4


@pytest.fixture
def full() -> Iterator[tuple[Behind, Nginx]]:
    """An instance that has all the requests which nginx lets through to it, and nginx."""
    with (
        Behind() as instance,
        Nginx(instance.port, changes={"max_conns=224": "max_conns=2"}) as nginx,
        ThreadPoolExecutor(2) as pool,
    ):
        under_way = [pool.submit(ask, nginx, path="/slow") for _ in range(2)]
        wait_until(lambda: len(instance.heard) == 2)
        yield instance, nginx
        instance.go_on.set()
        assert [one.result().text for one in under_way] == ["ok", "ok"]


def test_while_an_instance_is_full_people_and_machines_are_told_when_to_come_back(
    full: tuple[Behind, Nginx],
) -> None:
    instance, nginx = full
    page, answer = ask(nginx), ask(nginx, "POST", "/api/v1/token")
    assert page.status_code == answer.status_code == 503
    assert page.headers["Retry-After"] == answer.headers["Retry-After"] == "5"
    assert parse_page(page.text).one("section").attributes["lang"] == "fr-CA"
    assert answer.json()["error"] == "temporarily_unavailable"
    assert len(instance.heard) == 2, "the instance was asked"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_an_instance_that_is_full_is_seen_to_live(full: tuple[Behind, Nginx], path: str) -> None:
    _, nginx = full
    assert ask(nginx, path=path).text == "ok"


def test_while_an_instance_is_full_the_other_is_asked() -> None:
    with (
        Behind() as busy,
        Behind() as free,
        Nginx(busy.port, free.port, changes={"max_conns=224": "max_conns=1"}) as nginx,
        ThreadPoolExecutor(2) as pool,
    ):
        under_way = [pool.submit(ask, nginx, path="/slow") for _ in range(2)]
        wait_until(lambda: len(busy.heard) == len(free.heard) == 1)
        free.go_on.set()
        wait_until(lambda: any(one.done() for one in under_way))
        assert [ask(nginx, "POST").text for _ in range(6)] == ["ok"] * 6
        assert len(busy.heard) == 1
        busy.go_on.set()


def test_nginx_lets_through_what_works_and_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not more, so that two threads for each slot stay free for the checks; see app/web/edge/concurrency.py."""
    for name in ("ACCORD_WORKERS", "ACCORD_THREADS"):
        monkeypatch.delenv(name, raising=False)
    gunicorn = runpy.run_path(str(ROOT / "gunicorn.conf.py"))
    let_through = gunicorn["workers"] * gunicorn["threads"] * (THREADS_PER_SLOT - 2) // THREADS_PER_SLOT
    assert f" max_conns={let_through};" in (DEPLOY / "nginx.conf").read_text()


def test_while_nobody_is_behind_it_people_and_machines_are_told_when_to_come_back() -> None:
    with Nginx(free_port()) as nginx:
        page, answer = ask(nginx, path=AUTHORIZE), ask(nginx, "POST", "/api/v1/token")
    assert page.status_code == answer.status_code == 503
    assert page.headers["Retry-After"] == answer.headers["Retry-After"] == "5"
    assert parse_page(page.text).one("html").attributes["lang"] == "en-CA"
    assert parse_page(page.text).one("section").attributes["lang"] == "fr-CA"
    assert answer.json()["error"] == "temporarily_unavailable"


# Containers


def test_what_the_container_gets_is_enough_to_serve(tmp_path: Path, signing_keys: Path) -> None:
    """Its files alone, with this machine's Python: all that is on the pages is among them."""
    root = make_release(tmp_path / "accord")
    ledger_url = f"sqlite:///{tmp_path}/ledger.sqlite3"
    subprocess.run(
        [root / ".venv/bin/flask", "ledger", "upgrade"],
        cwd=root,
        env={"ACCORD_LEDGER_URL": ledger_url, "PYTHONPATH": str(root)},
        check=True,
        capture_output=True,
    )
    with (
        EmbeddedValkey(tmp_path / "valkey") as valkey,
        in_production(
            tmp_path, redis_url=valkey.url, ledger_url=ledger_url, signing_keys=signing_keys, root=root
        ) as running,
        requests.Session() as browser,
    ):
        form = ServedForm(running, browser, lang="fr")
        page = parse_page(browser.get(form.address, timeout=PATIENCE).text)
        assert page.one("html").attributes["lang"] == "fr-CA"
        for link in page.all("link"):
            assert running.get(link.attributes["href"]).status_code == 200
        assert form.send("approve").status_code == 302


def test_only_what_is_copied_is_sent_to_whoever_builds() -> None:
    sent = (DEPLOY / "Containerfile.dockerignore").read_text().splitlines()
    assert sent[0] == "**"
    assert [line for line in sent[1:] if not line.startswith("!")] == [
        "**/__pycache__",
        "app/development",
        "app/templates/development",
    ]
    assert {line[1:] for line in sent if line.startswith("!")} == {
        source for source, _ in copied_into_the_container()
    }


def test_the_container_installs_by_hash_and_serves_as_nobody_in_particular() -> None:
    lines = (DEPLOY / "Containerfile").read_text().splitlines()
    assert "--require-hashes" in "".join(lines)
    assert [line for line in lines if line.startswith("USER ")] == ["USER 10001:10001"]
    assert lines.index("USER 10001:10001") > lines.index("COPY --from=build /opt/accord /opt/accord")


def test_every_container_is_read_only_without_privileges_and_only_nginx_is_reached_from_outside() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    assert set(services) == {"nginx", "accord", "notices", "upgrade", "ledger", "valkey"}
    for service in services.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    assert [name for name, service in services.items() if "ports" in service] == ["nginx"]
    assert [name for name, service in services.items() if "cap_add" in service] == ["nginx"]


def test_folders_are_mounted_since_a_file_that_is_saved_is_another_file() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    for name in ("accord", "notices"):
        assert services[name]["volumes"] == ["./accord:/etc/accord:ro"]


@pytest.mark.parametrize(
    "variables",
    [{}, {"ACCORD_PORT": "{port}"}, {"ACCORD_BIND": "0.0.0.0:{port},127.0.0.1:1", "ACCORD_PORT": "2"}],
)
def test_the_health_check_asks_the_port_at_which_it_serves(variables: dict[str, str]) -> None:
    line = (DEPLOY / "Containerfile").read_text().partition('CMD ["python"')[2].partition("]\n")[0]
    _, _, program = json.loads(f'["python"{line}]')
    with Behind() as server:
        program = program if variables else program.replace("'8000'", f"'{server.port}'")
        asked = subprocess.run(
            [sys.executable, "-c", program],
            env={"ACCORD_ISSUER": "https://consent.bank.example"}
            | {name: value.format(port=server.port) for name, value in variables.items()},
            check=False,
            capture_output=True,
        )
        assert asked.returncode == 0, asked.stderr
        assert "Host: consent.bank.example" in server.heard[0]


# systemd


def test_a_reload_with_a_faulty_registration_is_refused_and_the_service_goes_on(
    production: Production,
) -> None:
    registry = Path(production.service.environment["ACCORD_REGISTRY"])
    sound = registry.read_text()
    workers = production.workers()
    registry.write_text(sound + "\nthis is no registration\n")
    try:
        assert production.service.reload() == [1]
    finally:
        registry.write_text(sound)
    production.wait_for_new_workers(workers)
    assert production.get("/readyz").status_code == 200


def test_a_reload_brings_a_changed_registration(production: Production) -> None:
    registry = Path(production.service.environment["ACCORD_REGISTRY"])
    registry.write_text(registry.read_text().replace("Budget Compass", "Budget Sextant"))
    before = production.workers()
    assert production.service.reload() == [0]
    assert not production.workers() & before  # it has waited for that
    with requests.Session() as browser:
        form = ServedForm(production, browser)
        assert "Budget Sextant" in browser.get(form.address, timeout=PATIENCE).text


def test_a_service_with_a_faulty_configuration_ends_with_the_code_that_is_not_restarted(
    production: Production, tmp_path: Path, signing_keys: Path
) -> None:
    unit = production.service.unit
    assert unit["Restart"] == ["on-failure"]
    environment = {**production.service.environment, "SECRET_KEY": "short"}
    other = type(production.service)(
        DEPLOY / "accord.service", DEPLOY.parent, environment, directory=tmp_path
    )
    with pytest.raises(HasEnded) as ended, other:
        pass
    assert [str(ended.value)] == unit["RestartPreventExitStatus"]
    assert "SECRET_KEY must have at least 32 bytes" in other.log.read_text()


def test_what_sends_notices_is_as_confined_as_the_service_and_reaches_the_internet_alone() -> None:
    """The second line: it holds also where Accord would connect to an address of the bank's own network."""
    service, sender = read_unit(DEPLOY / "accord.service"), read_unit(DEPLOY / "accord-notices.service")
    confined = [
        name for name in service if re.match("Protect|Private|Restrict[A-Z]|System|Capab|NoNew", name)
    ]
    confined += ["User", "UMask", "LockPersonality", "MemoryDenyWriteExecute", "RemoveIPC", "EnvironmentFile"]
    assert {name: sender.get(name) for name in confined} == {name: service[name] for name in confined}
    assert len(confined) > 20
    denied = [
        ip_network(network)
        for network in " ".join(sender["IPAddressDeny"]).replace("multicast", "224.0.0.0/4 ff00::/8").split()
    ]
    private = ("10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1")
    for address in (*private, "fd00::1", "fe80::1", "64:ff9b::7f00:1", "::7f00:1", "ff02::1"):
        assert not may_be_reached(address)
        assert any(ip_address(address) in network for network in denied), address
    for address in ("8.8.8.8", "192.0.1.1", "2606:4700::1111"):
        assert not any(ip_address(address) in network for network in denied), address
    assert sender["ExecStart"][0].partition("/bin/")[2] == "flask notices deliver"
    assert sender["RestartPreventExitStatus"] == service["RestartPreventExitStatus"]


def test_a_shell_reads_the_environment_file_as_systemd_does() -> None:
    file = DEPLOY / "accord.env"
    sourced = subprocess.run(
        ["/bin/sh", "-euc", f'set -a; . "{file}"; env -0'],
        env={"PATH": os.environ["PATH"]},
        check=True,
        capture_output=True,
        text=True,
    )
    assert sourced.stderr == ""
    read = dict(variable.split("=", 1) for variable in sourced.stdout.split("\0") if variable)
    expected = read_environment(file)
    assert {name: read.get(name) for name in expected} == expected
    assert "&" in expected["ACCORD_LEDGER_URL"]


def test_an_operators_command_runs_as_the_services_user_with_its_environment(tmp_path: Path) -> None:
    """The script as it is, but for its places, and for who becomes another user: that takes root.

    It stays in the operator's folder, and takes nothing there for a part of Accord.
    """
    ledger, script = tmp_path / "a & b.sqlite3", tmp_path / "release" / "deploy" / "flask"
    make_release(tmp_path / "release")
    (tmp_path / "accord.env").write_text(f"ACCORD_LEDGER_URL='sqlite:///{ledger}'\n")
    text = (DEPLOY / "flask").read_text()
    assert "/etc/accord/accord.env" in text
    script.parent.mkdir()
    script.write_text(text.replace("/etc/accord/accord.env", str(tmp_path / "accord.env")))
    link, runuser, elsewhere = tmp_path / "current", tmp_path / "runuser", tmp_path / "elsewhere"
    link.symlink_to(tmp_path / "release")
    runuser.write_text(
        f'#!/bin/sh\n[ "$1 $2 $3 $4" = "-u accord -- {tmp_path}/release/.venv/bin/flask" ] || exit 9\n'
        'shift 3\nexec "$@"\n'
    )
    runuser.chmod(0o755)
    elsewhere.mkdir()
    (elsewhere / "wsgi.py").write_text("raise SystemExit(9)")
    (elsewhere / ".env").write_text("ACCORD_ENVIRONMENT=development")
    shutil.copyfile(DEMO_REGISTRY, elsewhere / "registry.toml")

    def flask(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["/bin/sh", str(link / "deploy" / "flask"), *arguments],
            cwd=elsewhere,
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
            check=False,
            capture_output=True,
            text=True,
        )

    done = flask("ledger", "upgrade")
    assert (done.returncode, done.stdout) == (0, "the ledger is up to date\n"), done.stderr
    assert stat.S_IMODE(ledger.stat().st_mode) == 0o600
    assert os.access(DEPLOY / "flask", os.X_OK)
    checked = flask("registry", "check", "registry.toml")
    assert checked.returncode == 1
    assert "registry.toml:" in checked.stderr
    assert "does not work in production" in checked.stderr
    assert "not configured" in flask("routes").stderr


def test_the_manual_runs_no_command_as_root() -> None:
    manual = (ROOT / "docs" / "operating.md").read_text()
    assert "bin/flask" not in manual
    assert manual.count("\ndeploy/flask ") >= 4


def test_metrics_at_an_address_that_the_socket_lacks_stop_the_service(
    production: Production, tmp_path: Path
) -> None:
    address = f"127.0.0.1:{free_port()}"
    environment = {**production.service.environment, "ACCORD_METRICS_ADDRESS": address}
    other = type(production.service)(DEPLOY / "accord.service", ROOT, environment, directory=tmp_path)
    with pytest.raises(HasEnded) as ended, other:
        pass
    assert str(ended.value) == "78"
    faults = [json.loads(line).get("fault") for line in other.log.read_text().splitlines()]
    assert (
        f"ACCORD_METRICS_ADDRESS is at no socket of accord.socket: it needs ListenStream={address}" in faults
    )


def test_the_socket_is_the_one_that_nginx_asks(production: Production) -> None:
    (address,) = [
        line
        for line in (DEPLOY / "accord.socket").read_text().splitlines()
        if line.startswith("ListenStream=")
    ]
    assert f"server {address.removeprefix('ListenStream=')} " in (DEPLOY / "nginx.conf").read_text()
