"""The durable floor: what Flask must cost for the promise that Accord makes, and nothing else.

A decision is committed to PostgreSQL before its code exists, one guarded UPDATE consumes the code, and the access token
is signed (ES256). Redis has what lives for minutes, with one round trip a request. Nothing is validated that the promise
does not need: no CSRF, no limits, no languages, no metrics.

Before the page of consent there may be what a target's authorization request asks for: `via=sign-in` is a form with a
password, `via=bank` the bank's own OpenID Connect server, `via=accounts` a page with ten accounts. `/par` and the token
endpoint check an assertion and a proof where one was sent (RFC 7523, RFC 9449), and that neither was used before.
"""

import base64
import hashlib
import http.client
import json
import os
import secrets
import threading
import time
from urllib.parse import urlencode

import psycopg
import redis
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from flask import Flask, redirect, render_template, request

ISSUER = f"http://127.0.0.1:{os.environ['PORT']}"
DATABASE = f"postgresql://postgres@127.0.0.1:{os.environ['PG_PORT']}/bench"
BANK_PORT = int(os.environ.get("BENCH_BANK_PORT", "0"))
BANK = f"http://localhost:{BANK_PORT}"
ACCOUNTS = [f"Savings {n}" for n in range(10)]
ES256 = ec.ECDSA(hashes.SHA256())

app = Flask(__name__)
ask = redis.Redis(host="127.0.0.1", port=int(os.environ["REDIS_PORT"])).execute_command
pipeline = redis.Redis(host="127.0.0.1", port=int(os.environ["REDIS_PORT"])).pipeline
own_key = ec.generate_private_key(ec.SECP256R1())
of_this_thread = threading.local()

with psycopg.connect(DATABASE, autocommit=True) as setting_up:
    setting_up.execute("DROP TABLE IF EXISTS floor_grants")
    setting_up.execute(
        "CREATE TABLE floor_grants (code text PRIMARY KEY, document text NOT NULL, decided_at timestamptz NOT NULL"
        " DEFAULT now(), redeemed_at timestamptz, token_hash text)"
    )


def commit(statement, *values):
    """One statement, which is a transaction of its own; its rows."""
    if not hasattr(of_this_thread, "connection"):
        of_this_thread.connection = psycopg.connect(DATABASE, autocommit=True)
    return of_this_thread.connection.execute(statement, values)


# ---------------------------------------------------------------- JWTs
def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


HEADER = encoded(json.dumps({"alg": "ES256", "typ": "at+jwt"}).encode())


def signed(claims):
    text = f"{HEADER}.{encoded(json.dumps(claims).encode())}"
    r, s = decode_dss_signature(own_key.sign(text.encode(), ES256))
    return f"{text}.{encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def public_key(jwk):
    x, y = (int.from_bytes(decoded(jwk[name]), "big") for name in ("x", "y"))
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()


def verified(token, find_key):
    """The claims of a JWT. Raises an exception unless the key that `find_key` has for its header signed it."""
    head, claims, signature = token.split(".")
    raw = decoded(signature)
    pair = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    find_key(json.loads(decoded(head))).verify(pair, f"{head}.{claims}".encode(), ES256)
    return json.loads(decoded(claims))


CLIENT_KEY = public_key(json.loads(os.environ["BENCH_CLIENT_JWK"]))


def authenticate():
    """Who calls, and with which key: True where an assertion and a proof say so and both are new."""
    if "client_assertion" not in request.form:
        return request.authorization is not None
    now = time.time()
    assertion = verified(request.form["client_assertion"], lambda _: CLIENT_KEY)
    proof = verified(request.headers["DPoP"], lambda head: public_key(head["jwk"]))
    if assertion["aud"] != ISSUER or assertion["exp"] < now or proof["htu"] != ISSUER + request.path:
        return False
    if proof["htm"] != "POST" or abs(proof["iat"] - now) > 60:
        return False
    return all(
        pipeline(transaction=False)
        .set("once:" + assertion["jti"], 1, ex=60, nx=True)
        .set("once:" + proof["jti"], 1, ex=60, nx=True)
        .execute()
    )


# ---------------------------------------------------------------- the flow
@app.post("/par")
def push():
    if not authenticate():
        return {"error": "invalid_client"}, 401
    request_uri = "urn:ietf:params:oauth:request_uri:" + secrets.token_urlsafe(16)
    ask("SET", request_uri, json.dumps(request.form), "EX", "90")
    return {"request_uri": request_uri, "expires_in": 90}, 201


@app.get("/authorize")
def authorize():
    asked = request.args
    if "request_uri" in asked:
        asked = json.loads(ask("GETDEL", asked["request_uri"]))
    transaction = secrets.token_urlsafe(16)
    names = ("client_id", "redirect_uri", "state", "scope")
    ask("SET", "request:" + transaction, json.dumps({name: asked[name] for name in names}), "EX", "600")
    via = asked.get("via", "consent")
    if via != "bank":
        return redirect(f"/{via}/{transaction}")
    back = {"redirect_uri": f"{ISSUER}/callback", "state": transaction, "nonce": transaction, "client_id": "accord"}
    return redirect(f"{BANK}/authorize?{urlencode(back)}")


@app.get("/sign-in/<transaction>")
def show_sign_in(transaction):
    return render_template("sign_in.html", transaction=transaction)


@app.post("/sign-in/<transaction>")
def sign_in(transaction):
    return begin_session(transaction, request.form["user_name"])


@app.get("/callback")
def come_back():
    """OpenID Connect Core 1.0, 3.1.3: the bank tells who has signed in, over a connection of its own."""
    body = urlencode({"grant_type": "authorization_code", "code": request.args["code"]})
    connection = http.client.HTTPConnection("localhost", BANK_PORT, timeout=2)
    connection.request("POST", "/token", body, {"Content-Type": "application/x-www-form-urlencoded"})
    answer = json.load(connection.getresponse())
    connection.close()
    claims = verified(answer["id_token"], lambda _: bank_key())
    if claims["nonce"] != request.args["state"]:
        return {"error": "invalid_request"}, 400
    return begin_session(request.args["state"], claims["sub"])


def bank_key():
    if not hasattr(app, "bank_key"):
        connection = http.client.HTTPConnection("localhost", BANK_PORT, timeout=2)
        connection.request("GET", "/keys")
        app.bank_key = public_key(json.load(connection.getresponse())["keys"][0])
        connection.close()
    return app.bank_key


def begin_session(transaction, subject):
    session = secrets.token_urlsafe(24)
    ask("SET", "session:" + session, subject, "EX", "1800")
    response = redirect(f"/consent/{transaction}", 303)
    response.set_cookie("session", session, httponly=True, samesite="Lax")
    return response


@app.get("/accounts/<transaction>")
def show_accounts(transaction):
    ask("GET", "request:" + transaction)
    return render_template("accounts.html", transaction=transaction, accounts=ACCOUNTS)


@app.post("/accounts/<transaction>")
def choose_accounts(transaction):
    ask("SET", "accounts:" + transaction, json.dumps(request.form.getlist("account")), "EX", "600")
    return redirect(f"/consent/{transaction}", 303)


@app.get("/consent/<transaction>")
def show_consent(transaction):
    asked = json.loads(ask("GET", "request:" + transaction))
    return render_template(
        "consent.html",
        txn=transaction,
        csrf=secrets.token_urlsafe(24),
        client_id=asked["client_id"],
        redirect_uri=asked["redirect_uri"],
        state_value=asked["state"],
        scopes=asked["scope"].split(),
    )


@app.post("/consent/<transaction>")
def decide(transaction):
    answer = request.form
    code = secrets.token_urlsafe(24)
    document = json.dumps({"request": transaction, "scope": answer.getlist("scope"), "decision": answer["decision"]})
    commit("INSERT INTO floor_grants (code, document) VALUES (%s, %s)", code, document)
    ask("SET", "code:" + code, transaction, "EX", "60")
    return redirect(answer["redirect_uri"] + "?" + urlencode({"code": code, "state": answer["state"]}))


@app.post("/token")
def token():
    if not authenticate():
        return {"error": "invalid_client"}, 401
    code, refresh_token = request.form["code"], secrets.token_urlsafe(32)
    if ask("GET", "code:" + code) is None:
        return {"error": "invalid_grant"}, 400
    token_hash = hashlib.sha256(refresh_token.encode()).hexdigest()
    redeemed = commit(
        "UPDATE floor_grants SET redeemed_at = now(), token_hash = %s WHERE code = %s AND redeemed_at IS NULL",
        token_hash,
        code,
    )
    if redeemed.rowcount != 1:
        return {"error": "invalid_grant"}, 400
    now = int(time.time())
    claims = {"iss": ISSUER, "sub": "customer", "aud": "bank", "iat": now, "exp": now + 300, "jti": secrets.token_hex(8)}
    return {
        "access_token": signed(claims),
        "token_type": "Bearer",
        "expires_in": 300,
        "refresh_token": refresh_token,
    }
