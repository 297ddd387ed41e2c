"""A laptop: a wheel that carries the model, the same as a tarball, and the loader in Python."""
