"""What happens to a consent, from the request to the tokens, in Redis and in the ledger."""
