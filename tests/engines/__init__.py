"""The same journeys in every browser engine: what one of them lets through, another may stop."""
