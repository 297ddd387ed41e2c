"""The model card, written from what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tools.demo.books import Book
from tools.demo.chat import SPECIAL_TOKENS
from tools.demo.mixture import FIRST_SHARES, SHARES
from tools.demo.model import Llama

TEMPLATE = Path(__file__).with_name("card_template.md")


def card(
    model: Llama, books: list[Book], progress: dict[str, Any], measured: dict[str, Any], told: dict[str, str]
) -> str:
    """`told` holds what cannot be measured: seed, machine, row lengths and the two commands."""
    shape = model.shape
    scores = [f"| {name} | {each['score']:.1%} | {each['items']} |" for name, each in measured["scores"].items()]
    losses = [
        f"| {language} | {each['loss']:.3f} | {each['perplexity']:.1f} | {each['tokens']:,} |"
        for language, each in measured["losses"].items()
    ]
    return TEMPLATE.read_text(encoding="utf-8").format(
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        layers=shape.layers,
        hidden=shape.hidden,
        ffn=shape.ffn,
        heads=shape.heads,
        head_dim=shape.head_dim,
        kv_heads=shape.kv_heads,
        context=shape.context,
        vocab=shape.vocab,
        rope=f"{shape.rope_theta:g}",
        special=", ".join(f"`{token}`" for token in SPECIAL_TOKENS),
        tokens=progress["tokens"],
        steps=progress["step"],
        seconds=f"{progress['seconds'] / 60:.0f} minutes",
        speed=progress["tokens"] / progress["seconds"],
        shares=_percentages(SHARES),
        first_shares=_percentages(FIRST_SHARES),
        books="\n".join(f"- {book.author}: *{book.title}* ({book.language})" for book in books),
        scores="\n".join(scores),
        losses="\n".join(losses),
        **told,
    )


def _percentages(shares: dict[str, float]) -> str:
    return ", ".join(f"{share:.0%} {kind}" for kind, share in shares.items())


def machine(threads: int) -> str:
    """The processor's name and how many threads were used."""
    cpu = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name"))
    return f"{cpu.split(':', 1)[1].strip()}, {threads} threads, shared with other work"
