"""`edgeshrink run OUT "prompt"`: say something with what was built."""

from __future__ import annotations

from pathlib import Path

import click

from edgeshrink.commands.ranges import FiniteRange


@click.command("run")
@click.argument("artifact", type=click.Path(path_type=Path))
@click.argument("prompt")
@click.option("--system", help="A system message before the prompt.")
@click.option("--raw", is_flag=True, help="Continue the prompt as it is; the chat template is left out.")
@click.option("--max-tokens", type=click.IntRange(min=1), default=256, show_default=True)
@click.option("--temperature", type=FiniteRange(min=0), default=0.0, show_default=True, help="0 is greedy.")
@click.option("--top-p", type=FiniteRange(min=0, max=1, min_open=True), default=0.95, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--context", type=click.IntRange(min=16), help="Tokens of context; the model's own when left out.")
@click.option("--threads", type=click.IntRange(min=1))
@click.option("--gpu-layers", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--adapter", metavar="NAME|FILE", help="Run with it: a name in OUT/adapters, a file, or a folder.")
def command(
    artifact: Path,
    prompt: str,
    system: str | None,
    raw: bool,
    max_tokens: int,
    temperature: float,
    top_p: float,
    seed: int,
    context: int | None,
    threads: int | None,
    gpu_layers: int,
    adapter: str | None,
) -> int:
    """Run ARTIFACT (a folder that `build` wrote, a GGUF, a .pte, an ONNX folder) on PROMPT; stream what it says."""
    from edgeshrink.engine.conversation import Conversation, say

    conversation = Conversation(
        artifact=artifact,
        system=system,
        raw=raw,
        max_tokens=max_tokens,
        temperature=temperature,
        top_p=top_p,
        seed=seed,
        context=context,
        threads=threads,
        gpu_layers=gpu_layers,
        adapter=adapter,
    )
    for text in say(conversation, prompt):
        click.echo(text, nl=False)
    click.echo()
    return 0
