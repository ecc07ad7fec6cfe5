"""Code around every request: sessions, headers, limits, errors, language, static files, metrics."""
