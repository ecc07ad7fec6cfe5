"""A calendar entry for the day on which a connection ends (RFC 5545)."""

from flask_babel import gettext, to_user_timezone

from app.domain.consent import ConsentGrant
from app.web.connections.receipt import Receipt
from app.web.current import services

_LONGEST_LINE = 75  # bytes, RFC 5545 3.1


def end_date_event(grant: ConsentGrant, receipt: Receipt) -> str:
    """An all-day event in the receipt's language, with an alarm one week before.

    It is on the date that the pages show, in the time zone of ACCORD_TIME_ZONE.
    """
    summary = gettext(
        "Sharing with %(recipient)s ends (%(provider)s)",
        recipient=receipt.recipient,
        provider=receipt.provider,
    )
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Accord//EN",
        "BEGIN:VEVENT",
        f"UID:{grant.consent_id}@accord",
        f"DTSTAMP:{services().clock():%Y%m%dT%H%M%SZ}",
        f"DTSTART;VALUE=DATE:{to_user_timezone(grant.expires_at):%Y%m%d}",
        f"SUMMARY:{_escaped(summary)}",
        f"URL:{receipt.stop_at}",
        "TRANSP:TRANSPARENT",
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        f"DESCRIPTION:{_escaped(summary)}",
        "TRIGGER:-P7D",
        "END:VALARM",
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return "".join(_folded(line) + "\r\n" for line in lines)


def _escaped(text: str) -> str:
    """`text` on one line, escaped as a TEXT value (RFC 5545 3.3.11)."""
    text = " ".join(text.splitlines())
    for character in ("\\", ";", ","):
        text = text.replace(character, "\\" + character)
    return text


def _folded(line: str) -> str:
    """`line`, folded after at most 75 bytes (RFC 5545 3.1), never within a character."""
    pieces, piece = [], ""
    for character in line:
        if len((piece + character).encode()) >= _LONGEST_LINE:
            pieces.append(piece)
            piece = ""
        piece += character
    return "\r\n ".join([*pieces, piece])
