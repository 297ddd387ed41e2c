"""Losses of pairs of answers, one a file, by the names of `core.training.PreferenceLoss`. They import torch."""

from __future__ import annotations

from edgeshrink.compress.distill.preferences import dpo, ipo
from edgeshrink.compress.distill.preferences.interface import Loss
from edgeshrink.core.training import PreferenceLoss

_LOSSES: dict[PreferenceLoss, Loss] = {"dpo": dpo.loss, "ipo": ipo.loss}


def preference_loss(name: PreferenceLoss) -> Loss:
    return _LOSSES[name]
