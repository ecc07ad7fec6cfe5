"""Flask: parse, call, render."""
