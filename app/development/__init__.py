"""Code for the demo, for development and for tests. The production image does not contain this package."""
