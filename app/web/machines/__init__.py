"""Endpoints for programs: tokens, revocation, introspection, consent records, metadata.

They use no cookies.
"""
