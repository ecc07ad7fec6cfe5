"""One consent from the request to the tokens. The only code that touches both stores."""
