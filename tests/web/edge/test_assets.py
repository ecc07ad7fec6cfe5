"""Static files: kept for a year under the name of their content, compressed, with neither session nor cookie."""

import gzip
import os
import shutil
from pathlib import Path

import pytest

from app.settings import Settings
from app.web.edge.assets import Assets
from tests.support.applications import Clock, a_browser, make_app
from tests.support.customer import BrowserCustomer
from tests.support.page_contract import ContractClient, parse_page
from tests.support.registrations import DEMO_REGISTRY
from tests.support.repository import ROOT

GZIP = {"Accept-Encoding": "gzip, br"}
STATIC = ROOT / "static"


def named_by_a_page(client: ContractClient) -> list[str]:
    page = parse_page(client.get("/connections").text)
    links = [link.attributes["href"] for link in page.all("link")]
    scripts = [script.attributes["src"] for script in page.all("script")]
    pictures = [picture.attributes["src"] for picture in page.all("img")]
    return [*links, *scripts, *pictures]


def test_every_file_of_a_page_has_the_name_of_its_content_and_is_kept_for_a_year(
    client: ContractClient,
) -> None:
    addresses = named_by_a_page(client)
    assert len(addresses) >= 5
    for address in addresses:
        response = client.get(address)
        assert response.status_code == 200, address
        assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        stem, _, suffix = address.removeprefix("/static/").rsplit(".", 2)
        assert response.data == (STATIC / f"{stem}.{suffix}").read_bytes()


def test_a_plain_name_works_and_is_asked_for_again(client: ContractClient) -> None:
    response = client.get("/static/accord.css")
    assert response.headers["Cache-Control"] == "public, no-cache"
    again = client.get("/static/accord.css", headers={"If-None-Match": response.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert client.get("/static/accord.000000000000.css").status_code == 404


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("accord.css", "text/css; charset=utf-8"),
        ("accord.js", "text/javascript; charset=utf-8"),
        ("logos/maple.svg", "image/svg+xml; charset=utf-8"),
    ],
)
def test_a_text_is_compressed_for_whoever_takes_it(
    client: ContractClient, name: str, media_type: str
) -> None:
    plain, compressed = client.get(f"/static/{name}"), client.get(f"/static/{name}", headers=GZIP)
    assert compressed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(compressed.data) == plain.data
    assert len(compressed.data) < len(plain.data)
    assert "Content-Encoding" not in plain.headers
    assert plain.headers["ETag"] != compressed.headers["ETag"]
    for response in (plain, compressed):
        assert response.headers["Content-Type"] == media_type
        assert response.headers["Vary"] == "Accept-Encoding"
    refused = client.get(f"/static/{name}", headers={"Accept-Encoding": "gzip;q=0"})
    assert "Content-Encoding" not in refused.headers


def test_an_edited_file_has_another_name_at_once_in_development_and_only_there(tmp_path: Path) -> None:
    file = tmp_path / "a.css"
    file.write_text("a {}")
    live, fixed = Assets(tmp_path, is_live=True), Assets(tmp_path, is_live=False)
    before = live.address("a.css")
    assert fixed.address("a.css") == before
    file.write_text("b {}")
    os.utime(file, ns=(1, 1))
    assert live.address("a.css") != before
    assert fixed.address("a.css") == before


def test_a_file_that_comes_or_goes_is_noticed_in_development(tmp_path: Path) -> None:
    (tmp_path / "logos").mkdir()
    other = tmp_path / "other.svg"
    live = Assets(tmp_path / "logos", is_live=True, others={"b.svg": other})
    assert live.find("b.svg") is None
    other.write_text("<svg/>")
    assert live.find("b.svg") is not None
    (tmp_path / "logos" / "a.svg").write_text("<svg/>")
    assert live.find("a.svg") is not None
    (tmp_path / "logos" / "a.svg").unlink()
    other.unlink()
    assert live.version() == ()


def test_an_edited_style_sheet_is_on_the_next_page_in_development_and_is_there(
    settings: Settings, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On pages whose template is compiled, and on the form, which is prepared, with the new name each time."""
    static = tmp_path / "static"
    shutil.copytree(STATIC, static)
    monkeypatch.setattr("app.composition.STATIC", static)
    client = a_browser(make_app(settings, clock))
    form = f"/consent/{BrowserCustomer(client).signed_in_request()}"
    seen = set()
    for edit in range(3):
        (static / "accord.css").write_text(f"a {{ order: {edit} }}")
        os.utime(static / "accord.css", ns=(edit, edit))
        for path in ("/connections", form):
            page = parse_page(client.get(path).text)
            style = page.all("link", rel="stylesheet")[0].attributes["href"]
            assert client.get(style).text == f"a {{ order: {edit} }}"
            seen.add(style)
    assert len(seen) == 3


def test_a_logo_beside_the_registration_file_is_served_under_the_name_of_its_content_and_alone(
    settings: Settings, clock: Clock, tmp_path: Path
) -> None:
    picture = b'<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0h1"/></svg>'
    logos = tmp_path / "etc" / "logos"
    logos.mkdir(parents=True)
    (logos / "of-our-own.svg").write_bytes(picture)
    (logos / "nobodys.svg").write_bytes(picture)
    file = tmp_path / "etc" / "registry.toml"
    file.write_text(DEMO_REGISTRY.read_text().replace("maple.svg", "of-our-own.svg"))
    client = a_browser(make_app(settings.model_copy(update={"registry": file}), clock))
    sources = [
        picture.attributes["src"] for picture in parse_page(client.get("/connections").text).all("img")
    ]
    (own,) = [source for source in sources if "of-our-own" in source]
    answer = client.get(own)
    assert answer.data == picture
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert len(sources) == 3
    assert client.get("/static/logos/nobodys.svg").status_code == 404


def test_a_page_names_a_file_even_for_a_host_that_was_refused(client: ContractClient) -> None:
    page = parse_page(client.get("/", headers={"Host": "evil.example"}).text)
    assert page.all("script")[0].attributes["src"].startswith("/static/accord.")


def test_the_form_and_its_style_sheet_are_small(customer: BrowserCustomer, lang: str) -> None:
    everything = (
        "ACCOUNT_BASIC ACCOUNT_DETAILED ACCOUNT_PAYMENTS INVESTMENTS STATEMENTS CUSTOMER_CONTACT "
        "CUSTOMER_PERSONAL TRANSACTIONS"
    )
    request_id = customer.signed_in_request(lang=lang, scope=everything)
    form = customer.client.get(f"/consent/{request_id}")
    style = customer.client.get("/static/accord.css", headers=GZIP)
    assert len(gzip.compress(form.data)) + len(style.data) < 14_000
