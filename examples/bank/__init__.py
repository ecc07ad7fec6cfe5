"""The data APIs of the demo's banks, and the guard that enforces a consent in them. Start with `guard.py`."""
