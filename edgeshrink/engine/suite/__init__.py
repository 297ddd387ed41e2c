"""Running a behaviour suite: rounds of items on both models, until the gates are decided."""
