"""What a developer of a platform drops into a project, one kind a file."""
