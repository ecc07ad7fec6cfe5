"""Delivering notices: sending them to the addresses of receivers, until they are taken.

A receiver is whoever is told of consents: a recipient, or a bank.
"""
