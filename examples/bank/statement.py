"""An account's statement of last month: one page of PDF (ISO 32000), written by hand."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

_TITLES = {"en": "Statement", "fr": "Relevé"}


def last_month(today: date) -> date:
    """The first day of the month before."""
    return (today.replace(day=1) - timedelta(days=1)).replace(day=1)


def statement_entry(account_id: str, month: date, *, language: str) -> dict[str, Any]:
    """The statement in the list of statements (FDX Statement)."""
    return {
        "accountId": account_id,
        "statementId": f"{month:%Y-%m}",
        "statementDate": ((month + timedelta(days=31)).replace(day=1) - timedelta(days=1)).isoformat(),
        "description": f"{_TITLES[language]} {month:%Y-%m}",
        "status": "AVAILABLE",
    }


def statement_pdf(
    heading: str, month: date, transactions: Iterable[dict[str, Any]], *, language: str
) -> bytes:
    """The statement itself."""
    lines = [f"{_TITLES[language]} {month:%Y-%m}", heading, ""]
    for transaction in transactions:
        sign = "-" if transaction["debitCreditMemo"] == "DEBIT" else "+"
        day = transaction["postedTimestamp"][:10]
        lines.append(f"{day}   {sign}{transaction['amount']:.2f}   {transaction['description']}")
    text = "\n".join(f"({_escaped(line)}) Tj T*" for line in lines[:60])
    page = f"BT /F1 10 Tf 12 TL 50 790 Td\n{text}\nET".encode("cp1252", "replace")
    return _pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 842] /Contents 4 0 R /Resources 6 0 R >>",
            b"<< /Length %d >>\nstream\n%b\nendstream" % (len(page), page),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
            b"<< /Font << /F1 5 0 R >> >>",
        ]
    )


def _escaped(line: str) -> str:
    return line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


def _pdf(objects: list[bytes]) -> bytes:
    """A file of these objects, numbered from one, of which the first is the catalogue."""
    file = b"%PDF-1.4\n"
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(b"%010d 00000 n \n" % len(file))
        file += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table = b"xref\n0 %d\n0000000000 65535 f \n%b" % (len(objects) + 1, b"".join(places))
    trailer = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(file))
    return file + table + trailer
