"""A bank's own sign-in for the benchmark: the least OpenID Connect server that Accord and the floor can talk to.

`python bank.py PORT`. Its page asks for a user name, and whoever gives one has signed in. It is a process of its own, so
that what it costs is told apart from what it is measured for.
"""

import json
import secrets
import sys
import time
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey

KEY = ECKey.generate_key("P-256", {"kid": "bank-1", "use": "sig", "alg": "ES256"})
PORT = int(sys.argv[1])
ISSUER = f"http://localhost:{PORT}"
METADATA = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/keys",
    "response_types_supported": ["code"],
    "subject_types_supported": ["public"],
    "id_token_signing_alg_values_supported": ["ES256"],
    "authorization_response_iss_parameter_supported": True,
}
waiting: dict[str, dict[str, str]] = {}
"""What was asked for, and who has signed in, by code."""


class Bank(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        if address.path == "/.well-known/openid-configuration":
            self._answer(200, json.dumps(METADATA), "application/json")
        elif address.path == "/keys":
            self._answer(200, json.dumps({"keys": [KEY.as_dict(private=False)]}), "application/json")
        else:
            hidden = "".join(
                f'<input type="hidden" name="{escape(name)}" value="{escape(values[0])}">'
                for name, values in parse_qs(address.query).items()
            )
            form = f'<form id="sign-in" method="post" action="/authorize">{hidden}'
            page = f'<!doctype html><title>Sign in</title>{form}<input name="user_name"><input name="password"></form>'
            self._answer(200, page, "text/html")

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(text).items()}
        if self.path == "/authorize":
            code = secrets.token_urlsafe(16)
            waiting[code] = form
            back = urlencode({"code": code, "state": form["state"], "iss": ISSUER})
            self._answer(303, "", "text/plain", f"{form['redirect_uri']}?{back}")
        else:
            self._answer(200, json.dumps(_tokens(waiting.pop(form["code"]))), "application/json")

    def _answer(self, status: int, text: str, kind: str, location: str = "") -> None:
        body = text.encode()
        head = f"HTTP/1.1 {status} Whatever\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        head += f"Location: {location}\r\n\r\n" if location else "\r\n"
        self.wfile.write(head.encode() + body)

    def log_message(self, *_: object) -> None:
        """It says nothing."""


def _tokens(asked: dict[str, str]) -> dict[str, object]:
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": asked["client_id"],
        "sub": asked["user_name"],
        "name": asked["user_name"],
        "nonce": asked["nonce"],
        "auth_time": now,
        "iat": now,
        "exp": now + 300,
    }
    token = jwt.encode({"alg": "ES256", "kid": "bank-1"}, claims, KEY)
    return {"access_token": secrets.token_urlsafe(16), "token_type": "Bearer", "expires_in": 60, "id_token": token}


if __name__ == "__main__":
    ThreadingHTTPServer.request_queue_size = 128
    ThreadingHTTPServer(("127.0.0.1", PORT), Bank).serve_forever()
