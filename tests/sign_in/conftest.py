"""A bank's own server, for the tests of what Accord asks it."""

from collections.abc import Iterator

import pytest

from tests.support.oidc_server import OidcServer


@pytest.fixture
def bank() -> Iterator[OidcServer]:
    with OidcServer() as running:
        yield running
