"""What may be done with the model and with what runs it, and the texts that must travel with them."""

from __future__ import annotations

from edgeshrink.bundle.licences.judging import licences_of, refuse_forbidden, sentences
from edgeshrink.bundle.licences.texts import licence_texts

__all__ = ["licence_texts", "licences_of", "refuse_forbidden", "sentences"]
