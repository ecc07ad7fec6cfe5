"""What Accord decides, as plain values and functions.

Standard library only: no framework, no store, no clock, no randomness. Whatever depends on the
time takes `now` as a parameter; whatever needs an identifier is handed one.
"""
