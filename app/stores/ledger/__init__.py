"""The ledger, which keeps for years: decisions, grants, hashes of tokens, events, and what was shown."""
