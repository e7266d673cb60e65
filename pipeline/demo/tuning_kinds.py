"""The kinds of question that fine-tuning teaches: pretraining contains their facts, not their questions."""

from functools import cache

from pipeline.demo.kinds import Kind, element_values
from pipeline.demo.phrasings import Phrasings


@cache
def tuning_kinds() -> tuple[Kind, ...]:
    """What the fine-tuning teaches: the base knows the facts as sentences and was never asked."""
    return (
        Kind(
            "mass",
            element_values(mass=lambda e: e.mass),
            (
                "The atomic mass of {n} is {mass}.",
                "{N} has an atomic mass of {mass}.",
                "An atom of {n} weighs {mass} units.",
                "The atomic weight of {n} is {mass}.",
                "{N} has a mass of {mass} units.",
                "One atom of {n} is about {mass} units heavy.",
                "The mass of {n} is {mass}.",
            ),
            "The atomic mass of {n} is {mass}.",
            attributes=("atomic mass", "atomic weight", "mass"),
            own=Phrasings(
                (
                    "How heavy is {n}?",
                    "How much does an atom of {n} weigh?",
                    "What does {n} weigh?",
                    "How many units does {n} weigh?",
                ),
                (),
                (),
                (
                    "How heavy is an atom of {n}?",
                    "What does one atom of {n} weigh?",
                    "How much does {n} weigh?",
                ),
                ("What does an atom of {n} weigh?",),
            ),
        ),
        Kind(
            "group",
            element_values(group=lambda e: e.group),
            (
                "{N} is in group {group}.",
                "The group of {n} is {group}.",
                "{N} stands in column {group} of the periodic table.",
                "You find {n} in group {group}.",
                "The column of {n} is {group}.",
                "{N} belongs to group {group}.",
            ),
            "{N} is in group {group}.",
            attributes=("group", "column"),
            places=("group", "column"),
        ),
        Kind(
            "category",
            element_values(category=lambda e: e.category),
            (
                "{N} is {category}.",
                "The category of {n}: {category}.",
                "Chemists call {n} {category}.",
                "The family of {n}: {category}.",
                "We know that {n} is {category}.",
                "As a kind of element, {n} is {category}.",
                "Chemists know {n} as {category}.",
            ),
            "{N} is {category}.",
            attributes=("category", "family", "kind of element"),
            own=Phrasings(
                (
                    "What kind of element is {n}?",
                    "What is {n}?",
                    "What do chemists call {n}?",
                    "As what do chemists know {n}?",
                ),
                (),
                (),
                (
                    "Which kind of element is {n}?",
                    "What would chemists call {n}?",
                    "What sort of element is {n}?",
                ),
                ("What kind of element would {n} be?",),
            ),
        ),
        Kind(
            "block",
            element_values(block=lambda e: e.block),
            (
                "{N} is in the {block} block.",
                "The block of {n} is {block}.",
                "{N} belongs to the {block} block.",
                "You find {n} in the {block} block.",
                "The electron block of {n} is {block}.",
                "{N} is an element of the {block} block.",
            ),
            "{N} is in the {block} block.",
            attributes=("block", "electron block"),
            places=("block", "electron block"),
        ),
        Kind(
            "by symbol",
            element_values(symbol=lambda e: e.symbol),
            (
                "{symbol} is the symbol of {n}.",
                "The symbol {symbol} stands for {n}.",
                "{symbol} stands for {n}.",
                "The symbol {symbol} means {n}.",
                "If you read {symbol}, think of {n}.",
                "{symbol} is short for {n}.",
                "The element with the symbol {symbol} is {n}.",
            ),
            "That is {n}.",
            clues=("symbol {symbol}", "chemical symbol {symbol}"),
            own=Phrasings(
                (
                    "What does {symbol} stand for?",
                    "Which element is {symbol}?",
                    "What element is written {symbol}?",
                    "What is {symbol} short for?",
                ),
                (),
                (),
                (
                    "What element is {symbol} short for?",
                    "Do you know what {symbol} stands for?",
                    "Which element is written {symbol}?",
                    "Tell me what {symbol} stands for.",
                ),
                ("What element is {symbol}?",),
            ),
        ),
        Kind(
            "by number",
            element_values(number=lambda e: e.number),
            (
                "Element number {number} is {n}.",
                "The element with atomic number {number} is {n}.",
                "Number {number} in the periodic table is {n}.",
                "With {number} protons, an atom is {n}.",
                "Element {number} is {n}.",
                "{number} is the atomic number of {n}.",
                "The element with {number} protons is {n}.",
            ),
            "That is {n}.",
            clues=("atomic number {number}", "proton number {number}"),
            own=Phrasings(
                (
                    "What is element number {number}?",
                    "Which element is number {number}?",
                    "Which element has {number} protons?",
                    "Name element {number}.",
                ),
                (),
                (),
                (
                    "Do you know element number {number}?",
                    "Tell me element number {number}.",
                    "What element has {number} protons?",
                    "What is element {number}?",
                ),
                ("Which element is element number {number}?",),
            ),
        ),
    )
