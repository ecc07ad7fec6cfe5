"""Delivering notices: sending them to the addresses that recipients have registered, until they are taken."""
