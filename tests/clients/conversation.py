"""What a driver of a client library and its test say to each other, a line of JSON at a time.

A driver is a program of its own: a library as its users have it, in a process without ours.
"""

import json
import os
import sys
from typing import Any

# The five values that a recipient gets or decides (docs/connecting.md).
ISSUER = os.environ.get("ISSUER", "")
CLIENT_ID = os.environ.get("CLIENT_ID", "")
CLIENT_SECRET = os.environ.get("CLIENT_SECRET", "")
REDIRECT_URI = os.environ.get("REDIRECT_URI", "")
PROVIDER_ID = os.environ.get("PROVIDER_ID", "")

SCOPE = "ACCOUNT_BASIC TRANSACTIONS STATEMENTS"


def open_in_browser(url: str) -> str:
    """Sends the customer to `url`; the address at which they come back."""
    tell(open=url)
    return sys.stdin.readline().strip()


def tell(**what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def tell_tokens(answer: dict[str, Any]) -> None:
    """What the library holds after an answer of the token endpoint."""
    names = ("access_token", "refresh_token", "scope")
    tell(tokens={name: answer.get(name) for name in names})
