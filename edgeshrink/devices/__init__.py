"""Where code runs. For now this machine: what it is (`local`), what it is doing (`state`)."""
