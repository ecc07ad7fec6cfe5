"""The tests of calls ask the same server of a bank as those of the sign-in."""

from tests.sign_in.conftest import bank

__all__ = ["bank"]
