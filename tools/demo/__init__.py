"""How the shipped demo model is made: text, skills, tokenizer, training, measurement. `tools/train_demo.py` runs it."""
