"""Sequence-level distillation (Kim and Rush 2016, "Sequence-Level Knowledge Distillation", arXiv:1606.07947): the
teacher writes, filters keep what is worth learning, and the student learns it as text, whatever its tokens are.

One filter a file; each is pure, says yes or no to one sample, and may remember those that it let through.
"""
