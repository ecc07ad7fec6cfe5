"""The room for calls asks the same server as the sign-in."""

from tests.sign_in.conftest import bank

__all__ = ["bank"]
