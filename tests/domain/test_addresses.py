"""What can be registered as a redirect_uri (RFC 9700 2.1, RFC 8252 7)."""

import pytest

from app.domain.addresses import fault_in_redirect_uri


@pytest.mark.parametrize(
    "uri",
    [
        "https://loans.example/callback",
        "https://loans.example/callback?tenant=a",
        "https://loans.example/callback?decoder=1&isso=2&CODE=3",
        "https://loans.example:8443/callback",
        "https://loans.example",
        "https://loans.example./callback",
        "https://loans.example:/callback",
        f"https://{'a' * 63}.example/callback",
        "https://loans_1.example/callback",
        "https://[2001:db8::1]/callback",
        "https://xn--bcher-kva.example/callback",
        "http://localhost:8001/callback",
        "http://127.0.0.1/callback",
        "http://127.0.0.1:8001/callback",
        "http://[::1]:8001/callback",
        "com.loans.app:/callback",
        "com.loans.app://callback",
        "com.loans-2.app+x:/callback",
    ],
)
def test_an_exact_address_can_be_registered(uri: str) -> None:
    assert fault_in_redirect_uri(uri) is None


@pytest.mark.parametrize(
    ("uri", "fault"),
    [
        ("https://loans.example/callback#", "fragment"),
        ("https://loans.example/callback#top", "fragment"),
        ("com.loans.app:/callback#top", "fragment"),
        # Wildcards.
        ("https://*.loans.example/callback", "wildcard"),
        ("https://loans.example/*", "wildcard"),
        # http leads to loopback only.
        ("http://loans.example/callback", "other than loopback"),
        ("http://localhost.loans.example/callback", "other than loopback"),
        ("http://127.0.0.1.loans.example/callback", "other than loopback"),
        ("http://127.1/callback", "other than loopback"),
        ("http://2130706433/callback", "other than loopback"),
        ("http://0.0.0.0/callback", "other than loopback"),
        ("http://127.0.0.2/callback", "other than loopback"),
        ("http://[::ffff:127.0.0.1]/callback", "other than loopback"),
        ("http:///callback", "other than loopback"),
        # Schemes that run or show something, and schemes that are nobody's own.
        ("javascript:alert(1)", "scheme that is neither"),
        ("JavaScript:alert(1)", "scheme that is not in lower case"),
        ("JAVASCRIPT:alert(1)", "scheme that is not in lower case"),
        ("data:text/html,x", "scheme that is neither"),
        ("Data:text/html,x", "scheme that is not in lower case"),
        ("vbscript:x", "scheme that is neither"),
        ("file:///etc/passwd", "scheme that is neither"),
        ("blob:https://loans.example/1", "scheme that is neither"),
        ("about:blank", "scheme that is neither"),
        ("ftp://loans.example/", "scheme that is neither"),
        ("loansapp:/callback", "scheme that is neither"),
        ("HTTPS://loans.example/callback", "scheme that is not in lower case"),
        ("Com.Loans.App:/callback", "scheme that is not in lower case"),
        # What Accord itself adds to the query.
        ("https://loans.example/callback?code=1", "in its query"),
        ("https://loans.example/callback?tenant=a&state=", "in its query"),
        ("https://loans.example/callback?error", "in its query"),
        ("https://loans.example/callback?error_description=x", "in its query"),
        ("https://loans.example/callback?iss=https://evil.example", "in its query"),
        ("https://loans.example/callback?%63ode=1", "in its query"),
        ("com.loans.app:/callback?state=1", "in its query"),
        # User information, which hides the host that counts.
        ("https://loans.example@evil.example/callback", "user information"),
        ("https://user:password@loans.example/callback", "user information"),
        ("https://a@b@evil.example/callback", "user information"),
        ("http://127.0.0.1@evil.example/callback", "user information"),
        # No host.
        ("https:///callback", "no host"),
        ("https:loans.example/callback", "no host"),
        ("https:/loans.example/callback", "no host"),
        ("https://:443/callback", "no host"),
        ("https://?tenant=a", "no host"),
        # A host and a port where nobody can be.
        ("https://loans.example:0/callback", "port 0"),
        ("http://127.0.0.1:0/callback", "port 0"),
        ("https://loans..example/callback", "neither a name nor an IP address"),
        ("https://.loans.example/callback", "neither a name nor an IP address"),
        ("https://loans.example../callback", "neither a name nor an IP address"),
        (f"https://{'a' * 64}.example/callback", "neither a name nor an IP address"),
        (f"https://{'a.' * 127}example/callback", "neither a name nor an IP address"),
        ("https://loans%2eexample/callback", "neither a name nor an IP address"),
        ("https://[v1.a]/callback", "neither a name nor an IP address"),
        # Not an address at all.
        ("/callback", "no scheme"),
        ("//loans.example/callback", "no scheme"),
        ("loans.example/callback", "no scheme"),
        ("https://[::1/callback", "is not a URI"),
        ("https://loans.example:port/callback", "is not a URI"),
        ("https://loans.example:65536/callback", "is not a URI"),
        ("", "character"),
        ("https://loans.example/call back", "character"),
        (" https://loans.example/callback", "character"),
        ("https://loans.example/callback\n", "character"),
        ("https://loans.example/\tcallback", "character"),
        ("java\tscript:alert(1)", "character"),
        ("https://loans.example/callback\x00", "character"),
        ("https://loans.example\\@evil.example/callback", "character"),
        ("https://löans.example/callback", "character"),
        ("https://loans.example/callback?<script>", "character"),
        ('https://loans.example/callback?"', "character"),
    ],
)
def test_what_is_no_exact_address_of_a_recipient_cannot_be_registered(uri: str, fault: str) -> None:
    reason = fault_in_redirect_uri(uri)
    assert reason is not None
    assert fault in reason
