"""What Redis keeps for minutes or hours: requests, sessions, codes, limits."""
