"""The chat form: special tokens, the template in words of Jinja, and the same template in Python for the generators."""

from __future__ import annotations

BEGIN, END, PAD = "<|begin|>", "<|end|>", "<|pad|>"
SYSTEM, USER, ASSISTANT = "<|system|>", "<|user|>", "<|assistant|>"
SPECIAL_TOKENS = (BEGIN, END, PAD, SYSTEM, USER, ASSISTANT)

TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def system(text: str) -> str:
    return f"{SYSTEM}{text}{END}"


def ask(text: str) -> str:
    """A user's turn and the opening of the assistant's."""
    return f"{USER}{text}{END}{ASSISTANT}"
