"""How a story's continuation is asked for, in the language of the story. The demo model was trained on these words."""

from __future__ import annotations

REQUESTS: dict[str, str] = {
    "en": "Continue the story:",
    "de": "Erzähle die Geschichte weiter:",
    "es": "Continúa la historia:",
    "fr": "Continue l'histoire :",
    "it": "Continua la storia:",
}
