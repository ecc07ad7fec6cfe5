"""The reminder of the end date (RFC 5545)."""

from collections.abc import Callable

from tests.support import texts
from tests.support.customer import BrowserCustomer
from tests.support.machine_requests import connect
from tests.support.page_contract import ContractClient


def unfolded(calendar: str) -> dict[str, str]:
    lines = calendar.replace("\r\n ", "").removesuffix("\r\n").split("\r\n")
    return dict(line.split(":", 1) for line in lines)


def test_the_reminder_is_an_event_on_the_end_date(customer: BrowserCustomer, lang: str) -> None:
    consent_id = connect(customer, lang=lang)["consent_id"]
    response = customer.client.get(f"/connections/{consent_id}/end-date.ics")
    assert response.mimetype == "text/calendar"
    assert response.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert response.headers["Content-Disposition"] == 'attachment; filename="end-date.ics"'
    text = response.get_data(as_text=True)
    assert text.startswith("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n")
    assert text.endswith("END:VEVENT\r\nEND:VCALENDAR\r\n")
    assert text.replace("\r\n", "").isprintable()
    event = unfolded(text)
    assert event["UID"] == f"{consent_id}@accord"
    assert event["DTSTAMP"] == "20261124T120000Z"
    assert event["DTSTART;VALUE=DATE"] == "20271124"
    assert event["URL"] == f"http://localhost:8000/connections/{consent_id}"
    assert event["SUMMARY"] == texts.REMINDER.of(recipient=texts.BUDGET_COMPASS, provider=texts.MAPLE)[lang]


def test_names_in_the_reminder_are_escaped_and_long_lines_folded(
    register: Callable[..., ContractClient],
) -> None:
    name = r"Ünder, one; roof \\ " + "é" * 120
    server = register(('name = { en = "Budget Compass"', f'name = {{ en = "{name}"'))
    consent_id = connect(BrowserCustomer(server))["consent_id"]
    calendar = server.get(f"/connections/{consent_id}/end-date.ics").get_data()
    assert all(len(line) <= 75 for line in calendar.split(b"\r\n"))
    summary = unfolded(calendar.decode())["SUMMARY"]
    assert summary.startswith("Sharing with Ünder\\, one\\; roof \\\\ éé")
    assert summary.endswith("é ends (Maple Credit Union)")
