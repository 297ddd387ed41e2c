"""The steps of a build, one a file. Each is a frozen dataclass that fits `core.step.Step`."""
