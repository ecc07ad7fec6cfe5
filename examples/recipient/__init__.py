"""Budget Compass, an example Data Recipient. Start with `oauth.py`, then `pages.py`."""
