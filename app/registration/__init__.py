"""Reads the registration of recipients, providers and resource servers from a TOML file."""
