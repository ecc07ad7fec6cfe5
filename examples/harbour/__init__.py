"""Harbour Trust, an example bank that has a sign-in of its own."""
