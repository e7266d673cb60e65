"""The base's text: plain sentences about every fact, and conversations of the kinds that the base answers.

Document `i` of a seed is always the same, so pretraining can stop and go on, and a test can look for leaks.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from pipeline.demo.base_kinds import base_kinds
from pipeline.demo.dressing import dress
from pipeline.demo.kinds import Kind, Values, render, upper_first
from pipeline.demo.phrasings import ARITHMETIC, Phrasings
from pipeline.demo.tuning_kinds import tuning_kinds

LARGEST_OPERAND = 10
"""Arithmetic is of two whole numbers from 0 to this."""

CONVERSATION_SHARE = 0.58
ARITHMETIC_SHARE = 0.12
SECOND_TURN_SHARE = 0.15
DRESSED_SHARE = 0.4
"""How often a question of the base's text has words around it that mean nothing for the answer."""

CAPITAL_SHARE = 0.08
"""How often a question writes a thing's name with a capital ("the symbol of Iron")."""

ELEMENT_KINDS = 5
"""The first of the base kinds are about elements: as many facts as the others have together, so they are
drawn as often as all of them."""


@dataclass(frozen=True)
class Question:
    """One question with its answer."""

    prompt: str
    response: str
    kind: str


Document = str | tuple[Question, ...]
"""Plain sentences, or the turns of a conversation."""


def select_met_by_base(phrasings: Phrasings) -> Sequence[str]:
    return phrasings.met_by_base


@cache
def _values_by_name(kind: Kind) -> dict[str, list[Values]]:
    table: dict[str, list[Values]] = {}
    for values in kind.values:
        table.setdefault(values["n"], []).append(values)
    return table


def arithmetic(rng: random.Random) -> tuple[str, str]:
    """An expression in words or signs, and the sentence that answers it."""
    first, second = rng.randint(0, LARGEST_OPERAND), rng.randint(0, LARGEST_OPERAND)
    operation = rng.choice(("plus", "plus", "minus", "times"))
    if operation == "minus":
        first, second = max(first, second), min(first, second)
    result = {"plus": first + second, "minus": first - second, "times": first * second}[operation]
    sign = {"plus": "+", "minus": "-", "times": "x"}[operation]
    noun = {"plus": "sum", "minus": "difference", "times": "product"}[operation]
    expression = rng.choice(
        (f"{first} {operation} {second}", f"{first} {sign} {second}", f"the {noun} of {first} and {second}"),
    )
    return expression, f"{first} {operation} {second} is {result}."


def arithmetic_question(rng: random.Random, phrasings: Sequence[str]) -> Question:
    expression, answer = arithmetic(rng)
    template = rng.choice(phrasings)
    question = template.replace("{e}", expression).replace("{E}", upper_first(expression))
    return Question(question, answer, "arithmetic")


def base_question(rng: random.Random) -> Question:
    """One question of the kinds that the base answers, as the base meets it."""
    if rng.random() < ARITHMETIC_SHARE:
        question = arithmetic_question(rng, ARITHMETIC.met_by_base)
    else:
        kinds = base_kinds()
        kind = rng.choice(kinds[:ELEMENT_KINDS]) if rng.random() < 0.6 else rng.choice(kinds[ELEMENT_KINDS:])
        values = rng.choice(kind.values)
        template = kind.question(rng, select_met_by_base)
        asked = values | {"n": values["N"]} if rng.random() < CAPITAL_SHARE else values
        question = Question(render(template, asked), render(kind.answer, values), kind.name)
    return Question(dress(rng, question.prompt, DRESSED_SHARE), question.response, question.kind)


def _sentences(rng: random.Random) -> str:
    """One to four plain sentences about one thing."""
    choice = rng.random()
    if choice < 0.04:
        return upper_first(arithmetic(rng)[1])
    kinds = base_kinds()
    about_elements = choice < 0.85
    pool = kinds[:ELEMENT_KINDS] + tuning_kinds() if about_elements else kinds[ELEMENT_KINDS:]
    kind = rng.choice(pool)
    values = rng.choice(kind.values)
    name = values["n"]
    sentences = [render(rng.choice(kind.sentences), values)]
    while about_elements and len(sentences) < 4 and rng.random() < 0.5:
        kind = rng.choice(pool)
        if name in _values_by_name(kind):
            sentences.append(render(rng.choice(kind.sentences), _values_by_name(kind)[name][0]))
    return " ".join(sentences)


def document(rng: random.Random) -> Document:
    """One document of the base's text."""
    if rng.random() >= CONVERSATION_SHARE:
        return _sentences(rng)
    turns = [base_question(rng)]
    while len(turns) < 3 and rng.random() < SECOND_TURN_SHARE:
        turns.append(base_question(rng))
    return tuple(turns)
