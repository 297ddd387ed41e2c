"""EleutherAI's lm-evaluation-harness as a suite: its tasks, on our runtimes, paired with the reference per sample.

`model.py` and `job.py` import it and run in a child process; everything else here is light.
"""
