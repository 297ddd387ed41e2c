"""`profile A --against B`: two artifacts on one device in turn, so that heat and other work meet both alike."""

from __future__ import annotations

from pathlib import Path

from edgeshrink.core.device import Address
from edgeshrink.core.events import Listener, silent
from edgeshrink.core.report import Interleaved
from edgeshrink.core.request import Request
from edgeshrink.engine.artifacts import find_artifact, only_gguf
from edgeshrink.engine.attached import attached, leftovers_folder
from edgeshrink.engine.device_sessions import gpu_layers_of, offloads
from edgeshrink.engine.profile import context_of
from edgeshrink.engine.runners import runner_for
from edgeshrink.engine.sessions import session_lengths
from edgeshrink.engine.situation import find_device
from edgeshrink.measure.device.interleaved import measure_in_turn
from edgeshrink.store import Store
from edgeshrink.store.digests import remembered_sha256


def profile_in_turn(
    a: Path, b: Path, request: Request, address: Address, *, rounds: int, listener: Listener = silent
) -> Interleaved:
    """Ratios of A's figures to B's on the device at `address`. UsageError where one of them is no GGUF."""
    found = [only_gguf(find_artifact(path), hint="--against compares two GGUF files") for path in (a, b)]
    target, profile, _ = find_device(request, None)
    delegate = request.delegate or "cpu"
    notes = Store().notes
    digests = [remembered_sha256(one.path, notes, listener) for one in found]
    with attached(address, listener) as device:
        runner = runner_for(device.device, device.transport, gpu=offloads(request, delegate), listener=listener)
        return measure_in_turn(
            device.transport,
            device.probe,
            runner,
            found[0].path,
            found[1].path,
            sha256=(digests[0], digests[1]),
            context=min(context_of(request, one, target) for one in found),
            threads=request.threads,
            gpu_layers=gpu_layers_of(request, delegate),
            prompt_tokens=session_lengths(profile.budget, request.session.prompt_tokens),
            options=request.session,
            rounds=rounds,
            leftovers=leftovers_folder(),
            listener=listener,
        )
