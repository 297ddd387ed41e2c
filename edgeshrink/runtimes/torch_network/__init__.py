"""Torch modules as networks: those a function returns and those in a Hugging Face folder. Used in child processes.

Importing this costs nothing; `load` and `TorchSession` import torch.
"""

from __future__ import annotations

from edgeshrink.runtimes.torch_network.loading import load
from edgeshrink.runtimes.torch_network.network import LoadedNetwork
from edgeshrink.runtimes.torch_network.session import TorchSession

__all__ = ["LoadedNetwork", "TorchSession", "load"]
