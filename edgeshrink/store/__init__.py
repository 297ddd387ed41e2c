"""Content-addressed results: a step's result is whole in the store, or not there."""

from edgeshrink.store.store import Decision, Store, Stored, store_root

__all__ = ["Decision", "Store", "Stored", "store_root"]
