"""Low-rank updates beside a frozen model: how they are trained, written as an adapter, and merged into the model."""
