"""What Accord keeps: in Redis for minutes or hours, in the ledger for years, and signing keys in a file."""
