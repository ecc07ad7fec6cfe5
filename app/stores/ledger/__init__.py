"""What the ledger keeps for years: decisions, grants, tokens, events, what was shown."""
