"""`/dev/screens`, in development only: every page in each of its states, with fixed example values.

Translators see each text on its page there, and tests check all pages in every language and browser.
"""
