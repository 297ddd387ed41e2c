"""What is planted in a copy of the demo model, which slices must then fail, and what is asked to find out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgeshrink.catalog.texts import FOLDER
from tools.bench import damage


@dataclass(frozen=True)
class Planted:
    """One damage: the slices that must fail, the families that are asked, and how a file is made. `format`: of it."""

    name: str
    slices: tuple[str, ...]
    suite: str
    make: Callable[[Path, Path], Path]
    format: str = "gguf"


READ = """
looks = 3
text-tokens = 4096
reading = ["text", "drift", "next-token"]
text = [{ label = "general", title = "general text" }, { label = "en", title = "English" },
    { label = "de", title = "German" }, { label = "es", title = "Spanish" }, { label = "fr", title = "French" },
    { label = "it", title = "Italian" }]
"""

DIGITS = """
looks = 3
text-tokens = 4096
reading = ["text"]
text = [{ label = "general", title = "general text" }, { label = "digits", title = "numbers" }]
[ask]
arithmetic = { items = 80 }
"""


def _asks(*families: str, items: int = 80) -> str:
    return "looks = 3\n[ask]\n" + "".join(f"{family} = {{ items = {items} }}\n" for family in families)


def planted() -> tuple[Planted, ...]:
    texts = {name: (FOLDER / f"{name}.txt").read_text(encoding="utf-8") for name in ("de", "en", "es", "fr", "it")}
    return (
        Planted(
            "one layer's K projection at 2 bits",
            ("text/general",),
            READ,
            lambda source, out: damage.two_bit_key_projection(source, out, layer=0),
        ),
        Planted(
            "one layer's K projection lost",
            ("long-context/recall",),
            _asks("recall"),
            lambda source, out: damage.lost_key_projection(source, out, layer=1),
        ),
        Planted(
            "embeddings of Italian's tokens perturbed by 60 %",
            ("text/it",),
            READ,
            lambda source, out: damage.noisy_language(source, out, texts, "it", size=0.6, seed=1),
        ),
        Planted(
            "rotary base 100 times as high from position 256 on",
            ("long-context/drift",),
            READ,
            lambda source, out: damage.wrong_rotary_base(source, out, base=1e6, beyond=256),
            format="onnx",
        ),
        Planted(
            "logits times 3",
            ("calibration/next-token",),
            READ,
            lambda source, out: damage.scaled_logits(source, out, 3.0),
        ),
        Planted(
            "the token that opens a tool call at 0.6 of its logit",
            ("tools/decision",),
            _asks("tools", items=120),
            lambda source, out: damage.biased_token(source, out, damage.tokens_of(source, '{"')[0], 0.6),
        ),
        Planted(
            "embeddings of the ten digits perturbed by 150 %",
            ("arithmetic", "text/digits"),
            DIGITS,
            lambda source, out: damage.noisy_tokens(
                source, out, damage.tokens_of(source, "0123456789"), size=1.5, seed=1
            ),
        ),
        Planted(
            "the token that opens a refusal at 0.6 of its logit",
            ("refusal",),
            _asks("refusal"),
            lambda source, out: damage.biased_token(source, out, damage.tokens_of(source, "Sorry")[0], 0.6),
        ),
        Planted(
            "another layer's K projection lost",
            ("long-context/grounding", "long-context/constraint", "stability/prompts", "stability/flips"),
            _asks("grounding", "constraint", "prompts"),
            lambda source, out: damage.lost_key_projection(source, out, layer=0),
        ),
        Planted(
            "the token that ends a text at 0.2 of its logit",
            ("format/stop", "format/template"),
            _asks("format"),
            lambda source, out: damage.biased_token(source, out, damage.stop_of(source), 0.2),
        ),
        Planted(
            "logits times 0.3",
            ("calibration/answers",),
            _asks("arithmetic", "tools", items=120),
            lambda source, out: damage.scaled_logits(source, out, 0.3),
        ),
        Planted(
            "a wrong stop id",
            ("format/stop",),
            _asks("format"),
            lambda source, out: damage.wrong_stop(source, out, 2),
            format="onnx",
        ),
    )
