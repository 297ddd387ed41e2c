"""A small mixture of experts made from the demo model, to be compressed by experts.py.

Sparse upcycling (Komatsuzaki et al. 2022, arXiv:2212.05055), granular as in He et al. 2024 (arXiv:2410.07524): each of
16 experts begins as a third of the demo's feed-forward channels, another third for each expert, and four of them read a
token. Attention, norms and embeddings are the demo's. Then it is trained whole: cross-entropy of the text, divergence
to the demo, and the load-balancing loss of Fedus et al. 2021 (arXiv:2101.03961).

    python -m tools.bench.experts_model learn.jsonl OUT --tokens 1310720

A run that was ended goes on from its checkpoint: OUT/checkpoint, safetensors and JSON. The model is in OUT/model.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import Tensor

from edgeshrink.compress.corpus.build import build_corpus
from edgeshrink.compress.corpus.corpus import CORPUS_FILE, Corpus
from edgeshrink.compress.corpus.material import Material
from edgeshrink.compress.distill.models import load_frozen

DEMO = Path(__file__).resolve().parents[2] / "edgeshrink" / "_demo"
EXPERTS, USED, WIDTH, LENGTH, ROWS = 16, 4, 256, 256, 16
_RATE, _WARMUP, _FALL, _BALANCE, _DIVERGENCE = 1e-3, 30, 0.6, 0.005, 0.5
_SAVE_EVERY, _LOG_EVERY = 20, 10


def upcycled(seed: int = 0) -> Any:
    """The mixture before any training: transformers' MixtralForCausalLM in float32."""
    torch.manual_seed(seed)
    demo = json.loads((DEMO / "config.json").read_text(encoding="utf-8"))
    taken = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim")
    rest = ("max_position_embeddings", "rms_norm_eps", "tie_word_embeddings", "bos_token_id", "eos_token_id")
    config = transformers.MixtralConfig(
        **{name: demo[name] for name in (*taken, *rest, "pad_token_id")},
        rope_parameters={"rope_type": "default", "rope_theta": demo["rope_theta"]},
        intermediate_size=WIDTH,
        num_local_experts=EXPERTS,
        num_experts_per_tok=USED,
        router_aux_loss_coef=_BALANCE,
    )
    model = transformers.MixtralForCausalLM(config)
    dense = load_file(DEMO / "model.safetensors")
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name in dense:
                value.copy_(dense[name].float())
        for number, layer in enumerate(model.model.layers):
            parts = {
                key: dense[f"model.layers.{number}.mlp.{key}.weight"].float()
                for key in ("gate_proj", "up_proj", "down_proj")
            }
            # USED / thirds: what four experts of weight 1/4 add up to is the demo's own output on average.
            scale = parts["down_proj"].shape[1] / WIDTH
            for expert in range(EXPERTS):
                channels = torch.randperm(parts["down_proj"].shape[1])[:WIDTH].sort().values
                layer.mlp.experts.gate_up_proj[expert, :WIDTH] = parts["gate_proj"][channels]
                layer.mlp.experts.gate_up_proj[expert, WIDTH:] = parts["up_proj"][channels]
                layer.mlp.experts.down_proj[expert] = parts["down_proj"][:, channels] * scale
            layer.mlp.gate.weight.normal_(std=0.02)
    return model


def train_mixture(text: Path, out: Path, *, tokens: int, seed: int = 0) -> Path:
    """The trained mixture as the folder out/model (bfloat16, an expert a tensor)."""
    if (out / "model" / "config.json").is_file():
        return out / "model"
    corpus = open_corpus(text, out / "corpus")
    model, teacher = upcycled(seed), load_frozen(DEMO)
    model.config.use_cache = False
    optimizer = torch.optim.AdamW(model.parameters(), lr=_RATE, betas=(0.9, 0.95), weight_decay=0.01)
    steps, start, seconds = tokens // (ROWS * LENGTH), *_restored(out / "checkpoint", model, optimizer)
    order = np.concatenate([corpus.order(seed, epoch) for epoch in range(1 + steps * ROWS // corpus.rows)])
    began, sums = time.perf_counter() - seconds, np.zeros(3)
    for step in range(start, steps):
        rate = _RATE * min(1.0, (step + 1) / _WARMUP, (steps - step) / (steps * _FALL))
        for group in optimizer.param_groups:
            group["lr"] = rate
        sums += _step(model, teacher, corpus.batch(order[step * ROWS : (step + 1) * ROWS]))
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if (step + 1) % _LOG_EVERY == 0:
            line = {"step": step + 1, "of": steps, "seconds": round(time.perf_counter() - began, 1)}
            line |= dict(zip(("cross_entropy", "divergence", "balance"), (sums / _LOG_EVERY).round(4), strict=True))
            with (out / "log.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            sums[:] = 0
        if (step + 1) % _SAVE_EVERY == 0:
            _save(out / "checkpoint", step + 1, time.perf_counter() - began, model, optimizer)
    model.to(torch.bfloat16).save_pretrained(out / "partial")
    for file in DEMO.glob("tokenizer*.json"):
        shutil.copy(file, out / "partial")
    (out / "partial").rename(out / "model")
    return out / "model"


def open_corpus(text: Path, folder: Path) -> Corpus:
    """Rows of LENGTH tokens; a twentieth of the documents is held out."""
    if (folder / CORPUS_FILE).is_file():
        return Corpus.open(folder)
    return build_corpus(Material((text,), DEMO, held_out=0.05), folder, length=LENGTH)


def _step(model: Any, teacher: Any, batch: tuple[Any, Any]) -> Any:
    tokens, weights = torch.from_numpy(batch[0]).long(), torch.from_numpy(batch[1])[:, 1:].reshape(-1)
    with torch.autocast("cpu", torch.bfloat16):
        with torch.no_grad():
            wanted = teacher(input_ids=tokens, use_cache=False).logits[:, :-1].flatten(0, 1)
        got = model(input_ids=tokens, use_cache=False, output_router_logits=True)
    mine = got.logits[:, :-1].flatten(0, 1).float().log_softmax(-1)
    theirs = wanted.float().log_softmax(-1)
    entropy = _mean(-mine.gather(1, tokens[:, 1:].reshape(-1, 1))[:, 0], weights)
    divergence = _mean((theirs.exp() * (theirs - mine)).sum(-1), weights)
    balance = got.aux_loss.float()
    ((1 - _DIVERGENCE) * entropy + _DIVERGENCE * divergence + _BALANCE * balance).backward()
    return np.array([float(entropy.detach()), float(divergence.detach()), float(balance.detach())])


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    return (values * weights).sum() / weights.sum()


def _save(folder: Path, step: int, seconds: float, model: Any, optimizer: Any) -> None:
    aside = folder.with_name("checkpoint-partial")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    named = dict(model.named_parameters())
    moments = {
        f"{key}/{name}": optimizer.state[value][key]
        for name, value in named.items()
        for key in ("exp_avg", "exp_avg_sq")
    }
    save_file(named | moments, aside / "state.safetensors")
    (aside / "state.json").write_text(json.dumps({"step": step, "seconds": seconds}), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    aside.replace(folder)


def _restored(folder: Path, model: Any, optimizer: Any) -> tuple[int, float]:
    if not (folder / "state.json").is_file():
        return 0, 0.0
    told = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    held = load_file(folder / "state.safetensors")
    with torch.no_grad():
        for name, value in model.named_parameters():
            value.copy_(held[name])
            optimizer.state[value] = {key: held[f"{key}/{name}"] for key in ("exp_avg", "exp_avg_sq")}
            optimizer.state[value]["step"] = torch.tensor(float(told["step"]))
    return int(told["step"]), float(told["seconds"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, help="JSONL of the demo's own kind of text: tools/demo/learning.py")
    parser.add_argument("out", type=Path)
    parser.add_argument("--tokens", type=int, default=1_310_720)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    train_mixture(args.text, args.out, tokens=args.tokens, seed=args.seed)


if __name__ == "__main__":
    main()
