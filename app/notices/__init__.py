"""Delivering notices: sending them to the addresses of recipients and banks, until they are taken."""
