"""The authorization request, the consent form and the decision: the three blueprints, and their pages."""
