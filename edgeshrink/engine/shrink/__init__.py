"""Smaller models: the verbs prune and distill, and what a build does when no quantization fits."""
