"""Signing in, at the bank or with the password of the sandbox."""
