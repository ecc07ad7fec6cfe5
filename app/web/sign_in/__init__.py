"""The pages for signing in, at the bank's own server or with a password of the sandbox."""
