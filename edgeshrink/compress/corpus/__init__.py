"""Text to train on: documents from files and folders, as rows of tokens on disk.

`build.build_corpus` makes one (in a child process), `corpus.Corpus` reads it: numpy alone, no torch.
"""
