"""The pages about what a customer shares: the list, one connection, its receipt, and how to stop it."""
