"""Make an artifact again from what its lock pins: the export alone, without comparing and measuring it."""

from __future__ import annotations

from dataclasses import replace

from edgeshrink.core.events import Listener
from edgeshrink.core.lock import Lock
from edgeshrink.core.network import NetworkSource
from edgeshrink.core.quality import NetworkQuality
from edgeshrink.core.report import Report
from edgeshrink.core.request import Request
from edgeshrink.devices.cpu import default_threads
from edgeshrink.engine.artifacts import Finished
from edgeshrink.engine.exporters.registry import exporter
from edgeshrink.engine.lock import drift, early_pins
from edgeshrink.engine.networks.build import network_summary
from edgeshrink.engine.networks.situation import check_network_request, find_network_situation
from edgeshrink.engine.networks.workshop import NetworkWorkshop
from edgeshrink.engine.opened import network_of, open_model
from edgeshrink.engine.place import open_place
from edgeshrink.engine.situation import check_request, find_situation
from edgeshrink.engine.summary import source_summary
from edgeshrink.engine.workshop import Workshop
from edgeshrink.planning.resolve import plan_for
from edgeshrink.runtimes.network_facts import network_facts
from edgeshrink.store import Store


def remake(
    request: Request, lock: Lock, report: Report, store: Store, listener: Listener
) -> tuple[Finished, tuple[str, ...]]:
    """The artifact, made anew in `store`, and what has drifted from the lock meanwhile.

    `report` is the recorded one: it says which layers of a network stayed in float.
    """
    network = network_of(request)
    if network is not None:
        return _network(request, network, lock, report, store, listener)
    check_request(request)
    model = open_model(request)
    situation = find_situation(request, model, None)
    with open_place(request, situation.profile, listener) as place, store.in_use():
        workshop = Workshop(request, model, store, listener, request.threads or default_threads(), place, _nothing)
        workshop.adapter_weights = lock.request.adapter_weights
        workshop.check_before_work()
        maker = exporter(situation.format_name, workshop)
        maker.check_before_work()
        source = source_summary(model, workshop.source_sha256)
        drifted = drift(lock, early_pins(source, situation.format_name, situation.target, situation.profile))
        return maker.artifact(plan_for(workshop.situation(None), lock.request.scheme)), drifted


def _network(
    request: Request, network: NetworkSource, lock: Lock, report: Report, store: Store, listener: Listener
) -> tuple[Finished, tuple[str, ...]]:
    check_network_request(request)
    situation = find_network_situation(request, network_facts(network))
    with open_place(request, situation.profile, listener) as place, store.in_use():
        workshop = NetworkWorkshop(situation, store, listener, request.threads or default_threads(), place, _nothing)
        source = network_summary(workshop)
        drifted = drift(lock, early_pins(source, situation.format_name, situation.target, situation.profile))
        layers = report.quality.layers if isinstance(report.quality, NetworkQuality) else ()
        kept = tuple(layer.name for layer in layers if layer.kept_float)
        return workshop.artifact(replace(workshop.recipe(lock.request.scheme), keep=kept)), drifted


def _nothing(_question: str) -> bool:
    return False
