"""Tables in Markdown, and the page whose marked places the measurements write. It needs nothing but Python."""

from pathlib import Path


def write_between(page: Path, name: str, text: str) -> None:
    """Puts `text` between the marks of `name` in `page`. Raises ValueError when it has none."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        raise ValueError(f"{page.name} has no place for {name}")
    page.write_text(before + begin + text + end + after, encoding="utf-8")


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown; all columns but the first are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
