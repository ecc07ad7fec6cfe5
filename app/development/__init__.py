"""What only the demo, development and tests use. Production neither imports nor ships it."""
