"""Ready runners of the runtimes' own projects, on a device where no Python runs."""
