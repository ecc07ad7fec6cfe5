"""The rules of OAuth 2.0 and of consent that Accord applies, as plain values and functions.

This package uses the standard library only: no framework, no store, no clock, no randomness. A function that
depends on the time takes it as the parameter `now`, and one that needs a new identifier takes that, too.
"""
