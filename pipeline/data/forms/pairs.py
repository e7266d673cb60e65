"""A question and an answer in two columns, optionally with a system message and Alpaca's input."""

from functools import partial
from typing import Any

from pipeline.data.form import Form, NamedTurns, text

SYSTEM = "system"
PAIRS = (("prompt", "response"), ("question", "answer"), ("prompt", "completion"), ("instruction", "output"))
"""Column names of question and answer that are recognized, as public data sets use them."""
CONTEXT = "input"
"""Beside instruction and output: text that the instruction refers to (Alpaca's form); it is appended after an
empty line."""


def _read(values: dict[str, Any], question: str, answer: str) -> tuple[NamedTurns, set[str]]:
    used = {question, answer}
    prompt, response = (text(name, values[name]) for name in (question, answer))
    if question == "instruction" and values.get(CONTEXT) is not None:
        used.add(CONTEXT)
        context = text(CONTEXT, values[CONTEXT])
        if context.strip():
            prompt = f"{prompt.strip()}\n\n{context.strip()}"
    turns: NamedTurns = [
        (question, {"role": "user", "content": prompt}),
        (answer, {"role": "assistant", "content": response}),
    ]
    if values.get(SYSTEM) is not None:
        used.add(SYSTEM)
        system = text(SYSTEM, values[SYSTEM])
        if system.strip():
            turns.insert(0, (SYSTEM, {"role": "system", "content": system}))
    return turns, used


FORMS = tuple(
    Form((question, answer), partial(_read, question=question, answer=answer)) for question, answer in PAIRS
)
