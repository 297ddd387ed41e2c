"""Signatures of bundles by OpenSSF Model Signing, and what a look at a signed folder finds."""
