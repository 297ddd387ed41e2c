"""Measuring where the model will live: our native runner on a device, its events, and what they come to."""
