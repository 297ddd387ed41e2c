"""The training loop: growing sequences, Muon for matrices and Adam for the rest, checkpoints, a log."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tools.demo import checkpoint
from tools.demo.adam import Adam
from tools.demo.mixture import Mixture
from tools.demo.model import Llama
from tools.demo.muon import Muon


@dataclass(frozen=True)
class Plan:
    """What a run is. The rate warms up, stays, and falls in a line to zero (Hu et al. 2024, arXiv:2404.06395)."""

    steps: int
    batch: int = 4096
    """Tokens a step."""
    lengths: tuple[tuple[float, int], ...] = ((1 / 6, 64), (0.35, 128), (0.55, 256), (1.0, 512))
    """(share of the run that has passed, tokens a row up to there)."""
    matrix_rate: float = 0.01
    other_rate: float = 2e-3
    warmup: int = 60
    fall: float = 0.45
    """Share of the run over which the rate falls."""

    def length(self, step: int) -> int:
        return next(length for until, length in self.lengths if step < until * self.steps or until == 1.0)

    def rate(self, step: int) -> float:
        """Between 0 and 1, times the two rates above."""
        left = (self.steps - step) / self.steps
        return min(1.0, (step + 1) / self.warmup, left / self.fall)


class Trainer:
    """One run in one folder: `state.safetensors` to go on from, `log.jsonl` to read."""

    def __init__(self, model: Llama, mixture: Mixture, plan: Plan, folder: Path) -> None:
        self.model, self.mixture, self.plan, self.folder = model, mixture, plan, folder
        inner = [(name, p) for name, p in model.named_parameters() if p.dim() == 2 and "embed" not in name]
        outer = [(name, p) for name, p in model.named_parameters() if p.dim() != 2 or "embed" in name]
        self.muon = Muon(inner, momentum=0.95, decay=0.01)
        self.adam = Adam(outer, beta1=0.9, beta2=0.98)
        self.progress: dict[str, Any] = {"step": 0, "tokens": 0, "seconds": 0.0}
        folder.mkdir(parents=True, exist_ok=True)

    def _tensors(self) -> dict[str, Tensor]:
        groups: dict[str, dict[str, Tensor]] = {
            "model": {name: p.data for name, p in self.model.named_parameters()},
            "muon": self.muon.state,
            "mean": self.adam.mean,
            "square": self.adam.square,
        }
        return {f"{group}/{name}": tensor for group, named in groups.items() for name, tensor in named.items()}

    @property
    def state_path(self) -> Path:
        return self.folder / "state.safetensors"

    @property
    def log_path(self) -> Path:
        return self.folder / "log.jsonl"

    def save(self) -> None:
        checkpoint.save(self.state_path, self._tensors(), self.progress)

    @torch.no_grad()
    def resume(self) -> None:
        saved, self.progress = checkpoint.load(self.state_path)
        for name, tensor in self._tensors().items():
            tensor.copy_(saved[name])

    def _forget_log_after(self, step: int) -> None:
        """Steps behind the checkpoint are trained again, so their entries would stand twice."""
        lines = self.log_path.read_text().splitlines(keepends=True) if self.log_path.exists() else []
        self.log_path.write_text("".join(line for line in lines if json.loads(line)["step"] <= step))

    def log(self, **entry: Any) -> None:
        with self.log_path.open("a") as file:
            file.write(json.dumps(entry) + "\n")
        print(json.dumps(entry), flush=True)

    def run(self, measure: Callable[[Llama], dict[str, float]], every: int = 250) -> None:
        """Train to the end of the plan; log each 25 steps, measure and save each `every`."""
        self._forget_log_after(self.progress["step"])
        loss_of = torch.compile(self.model.loss, dynamic=False)
        length = 0
        batches: Iterator[tuple[Tensor, Tensor]] = iter(())
        losses: list[float] = []
        began, before, tokens_before = time.monotonic(), self.progress["seconds"], self.progress["tokens"]
        while self.progress["step"] < self.plan.steps:
            step = self.progress["step"]
            if self.plan.length(step) != length:
                length = self.plan.length(step)
                batches = self.mixture.batches(length, self.plan.batch // length, first=step)
            tokens, weights = next(batches)
            with torch.autocast("cpu", torch.bfloat16):
                loss = loss_of(tokens, weights)
            torch.autograd.backward(loss)
            self._update(step)
            losses.append(loss.item())
            elapsed = time.monotonic() - began
            self.progress |= {
                "step": step + 1,
                "tokens": self.progress["tokens"] + tokens.numel(),
                "seconds": round(before + elapsed, 1),
            }
            if (step + 1) % 25 == 0:
                speed = (self.progress["tokens"] - tokens_before) / elapsed
                self.log(**self.progress, length=length, loss=round(sum(losses) / len(losses), 4), per_s=round(speed))
                losses = []
            if (step + 1) % every == 0 or step + 1 == self.plan.steps:
                self.log(step=step + 1, **measure(self.model))
                self.save()

    def _update(self, step: int) -> None:
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        rate = self.plan.rate(step)
        self.muon.step(rate * self.plan.matrix_rate)
        self.adam.step(rate * self.plan.other_rate, step + 1)
        self.model.zero_grad(set_to_none=True)
