"""The authorization endpoint, the consent form and the decision, and the pages that belong to them."""
