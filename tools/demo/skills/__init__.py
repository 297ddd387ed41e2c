"""Generated skills: each file makes samples of one skill, for training or (held out) for testing."""
