"""The recipient's own words in two languages, from `wording.toml`."""

import tomllib
from pathlib import Path

TEXTS: dict[str, dict[str, str]] = tomllib.loads(Path(__file__).with_name("wording.toml").read_text("utf-8"))
LANGUAGES = tuple(TEXTS)


def wording(language: str, key: str, otherwise: str = "", **fields: object) -> str:
    """The words under `key`, or under `otherwise` where there is nothing so special to say."""
    texts = TEXTS[language]
    return (texts[key] if key in texts or not otherwise else texts[otherwise]).format(**fields)
