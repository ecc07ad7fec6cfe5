"""Endpoints for programs: tokens, revocation, introspection, records, metadata. No cookie is read here."""
