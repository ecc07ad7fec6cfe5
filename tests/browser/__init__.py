"""Journeys in a real Chromium, against everything that `make run` starts, the recipient on another origin."""
