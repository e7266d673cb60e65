"""The kinds of question: what each asks, how its facts read as plain sentences, and how it is answered.

The base meets the facts of every kind as sentences. It also answers the BASE kinds; the TUNING kinds are what
the fine-tuning teaches: their answers are in the base, the questions are not.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

from pipeline.demo import facts
from pipeline.demo.phrasings import ATTRIBUTE, CLUE, PLACE, Phrasings, upper_first

Values = dict[str, str]
"""What fills the placeholders of a kind's templates for one fact: {n}, {N} and the kind's own."""


@dataclass(frozen=True, eq=False)
class Kind:
    """One kind of question about one sort of fact."""

    name: str
    values: tuple[Values, ...]
    """One entry a fact."""
    sentences: tuple[str, ...]
    answer: str
    attributes: tuple[str, ...] = ()
    """Noun phrases for the {np} of an ATTRIBUTE phrasing."""
    places: tuple[str, ...] = ()
    """Noun phrases for the {np} of a PLACE phrasing."""
    clues: tuple[str, ...] = ()
    """Templates for the {c} of a CLUE phrasing."""
    looked_for: tuple[str, ...] = ("element",)
    """Words for the {k} of a CLUE phrasing."""
    own: Phrasings = field(default_factory=lambda: Phrasings((), (), (), (), ()))
    """Phrasings that fit this kind only."""

    def templates(self, select: Callable[[Phrasings], Sequence[str]]) -> list[str]:
        """Every question template that this kind has in the chosen set, with {n}, {N} and the kind's own
        placeholders left open."""
        out = [_fill(t, np=np) for np in self.attributes for t in select(ATTRIBUTE)]
        out += [_fill(t, np=np) for np in self.places for t in select(PLACE)]
        out += [_fill(t, k=k, c=c) for c in self.clues for k in self.looked_for for t in select(CLUE)]
        return out + list(select(self.own))

    def question(self, rng: random.Random, select: Callable[[Phrasings], Sequence[str]]) -> str:
        """One question template of the chosen set; the set's own sorts of phrasing weigh alike, whatever
        their number."""
        sorts: list[Callable[[], str]] = []
        if self.attributes:
            sorts += [lambda: _fill(rng.choice(select(ATTRIBUTE)), np=rng.choice(self.attributes))] * 4
        if self.places and select(PLACE):
            sorts += [lambda: _fill(rng.choice(select(PLACE)), np=rng.choice(self.places))] * 2
        if self.clues:
            sorts += [
                lambda: _fill(
                    rng.choice(select(CLUE)), c=rng.choice(self.clues), k=rng.choice(self.looked_for)
                )
            ] * 4
        if select(self.own):
            sorts.append(lambda: rng.choice(select(self.own)))
        return rng.choice(sorts)()


def _fill(template: str, **parts: str) -> str:
    """Replace the named placeholders and leave the others as they are."""
    for name, text in parts.items():
        template = template.replace("{" + name + "}", text)
    return template


def render(template: str, values: Values) -> str:
    """A template with a fact's values put in, and a capital at its start."""
    return upper_first(_fill(template, **values))


def _element_values(**columns: Callable[[facts.Element], object]) -> tuple[Values, ...]:
    """One entry for each element of which every column is known."""
    rows = []
    for element in facts.elements():
        row = {name: column(element) for name, column in columns.items()}
        if all(value is not None for value in row.values()):
            named = {"n": element.name, "N": element.name.capitalize()}
            rows.append(named | {name: str(value) for name, value in row.items()})
    return tuple(rows)


def signed(number: int) -> str:
    """A number as the texts write it: "3", "minus 3"."""
    return str(number) if number >= 0 else f"minus {-number}"


@cache
def base_kinds() -> tuple[Kind, ...]:
    """What the base answers before any fine-tuning: elements first, then planets, units and prefixes."""
    return (
        Kind(
            "symbol",
            _element_values(symbol=lambda e: e.symbol),
            (
                "The symbol of {n} is {symbol}.",
                "{N} has the symbol {symbol}.",
                "Chemists write {n} as {symbol}.",
                "The chemical symbol of {n} is {symbol}.",
                "{N} is written {symbol}.",
                "For {n}, chemists write {symbol}.",
            ),
            "The symbol of {n} is {symbol}.",
            attributes=("symbol", "chemical symbol", "short form"),
            own=Phrasings(
                (),
                (
                    "How do chemists write {n}?",
                    "How is {n} written?",
                    "How can I write {n} in short?",
                    "What do chemists write for {n}?",
                ),
                (),
                ("How would a chemist write {n}?", "What is {n} in short?"),
                (),
            ),
        ),
        Kind(
            "number",
            _element_values(number=lambda e: e.number),
            (
                "The atomic number of {n} is {number}.",
                "{N} has atomic number {number}.",
                "An atom of {n} has {number} protons.",
                "{N} has {number} protons in its nucleus.",
                "The number of protons of {n} is {number}.",
                "{N} is element number {number}.",
            ),
            "The atomic number of {n} is {number}.",
            attributes=("atomic number", "number of protons", "proton number"),
            own=Phrasings(
                (),
                (
                    "How many protons does {n} have?",
                    "How many protons are in {n}?",
                    "How many protons does an atom of {n} have?",
                    "What number does {n} have in the periodic table?",
                ),
                (),
                ("How many protons are in an atom of {n}?", "How many protons has {n}?"),
                (),
            ),
        ),
        Kind(
            "period",
            _element_values(period=lambda e: e.period),
            (
                "{N} is in period {period}.",
                "The period of {n} is {period}.",
                "{N} stands in row {period} of the periodic table.",
                "You find {n} in period {period}.",
                "The row of {n} is {period}.",
                "{N} belongs to period {period}.",
            ),
            "{N} is in period {period}.",
            attributes=("period", "row"),
            places=("period", "row"),
        ),
        Kind(
            "year",
            _element_values(year=lambda e: e.year),
            (
                "{N} was discovered in {year}.",
                "The discovery of {n} was in {year}.",
                "The discovery year of {n} is {year}.",
                "In {year}, {n} was found.",
                "The year of discovery of {n} is {year}.",
            ),
            "{N} was discovered in {year}.",
            attributes=("discovery year", "year of discovery"),
            own=Phrasings(
                (),
                (
                    "When was {n} discovered?",
                    "In which year was {n} found?",
                    "When did someone find {n}?",
                    "Since when do we know {n}?",
                ),
                (),
                ("In what year was {n} discovered?", "When was {n} found?"),
                (),
            ),
        ),
        Kind(
            "state",
            _element_values(state=lambda e: e.state),
            (
                "{N} is {state} at room temperature.",
                "The state of {n} is {state}.",
                "At room temperature, {n} is {state}.",
                "The state of matter of {n} is {state}.",
                "In a room, {n} is {state}.",
            ),
            "{N} is {state} at room temperature.",
            attributes=("state", "state of matter"),
            own=Phrasings(
                (),
                (
                    "Is {n} solid, liquid or gas?",
                    "What is {n} at room temperature?",
                    "How is {n} at room temperature?",
                ),
                (),
                ("At room temperature, what is {n}?", "Is {n} gas, liquid or solid?"),
                (),
            ),
        ),
        Kind(
            "planet",
            tuple(
                {"n": name, "N": name, "position": str(index + 1), "ordinal": facts.ORDINALS[index]}
                for index, name in enumerate(facts.PLANETS)
            ),
            (
                "{n} is planet number {position}.",
                "{n} is the {ordinal} planet from the sun.",
                "The {ordinal} planet is {n}.",
            ),
            "{n} is planet number {position}.",
            attributes=("position", "place from the sun"),
            own=Phrasings((), ("Where is {n}?", "Which planet is {n}?"), (), ("What planet is {n}?",), ()),
        ),
        Kind(
            "planet by position",
            tuple(
                {"n": name, "N": name, "position": str(index + 1)} for index, name in enumerate(facts.PLANETS)
            ),
            ("Planet number {position} is {n}.", "Position {position} from the sun is that of {n}."),
            "That is {n}.",
            clues=("position {position}", "number {position} from the sun"),
            looked_for=("planet",),
            own=Phrasings(
                (),
                ("What is planet {position}?", "Which planet is number {position}?"),
                (),
                ("Name planet {position}.",),
                (),
            ),
        ),
        Kind(
            "planet by moon",
            tuple(
                {"n": planet, "N": planet, "moon": moon}
                for planet, moons in facts.MOONS.items()
                for moon in moons
            ),
            (
                "{moon} is a moon of {n}.",
                "{n} has the moon {moon}.",
                "The moon {moon} belongs to {n}.",
                "{moon} goes around {n}.",
            ),
            "That is {n}.",
            clues=("moon {moon}",),
            looked_for=("planet",),
            own=Phrasings(
                (),
                (
                    "Where is the moon {moon}?",
                    "Around which planet does {moon} go?",
                    "{moon} is a moon of which planet?",
                ),
                (),
                ("Of which planet is {moon} a moon?",),
                (),
            ),
        ),
        Kind(
            "unit",
            tuple(
                {"n": quantity, "N": quantity.capitalize(), "unit": unit}
                for quantity, unit in facts.UNITS.items()
            ),
            ("We measure {n} in {unit}.", "The unit of {n} is the {unit}.", "{N} has the unit {unit}."),
            "The unit of {n} is the {unit}.",
            attributes=("unit", "unit of measure"),
            own=Phrasings(
                (),
                ("In what do we measure {n}?", "How do we measure {n}?"),
                (),
                ("In what is {n} measured?",),
                (),
            ),
        ),
        Kind(
            "quantity by unit",
            tuple(
                {"n": quantity, "N": quantity.capitalize(), "unit": unit}
                for quantity, unit in facts.UNITS.items()
            ),
            ("The {unit} is the unit of {n}.", "The {unit} measures {n}.", "In {unit} we measure {n}."),
            "That is {n}.",
            clues=("unit {unit}",),
            looked_for=("quantity",),
            own=Phrasings(
                (),
                ("What do we measure in {unit}?", "What does the {unit} measure?"),
                (),
                ("What is measured in {unit}?",),
                (),
            ),
        ),
        Kind(
            "prefix",
            tuple(
                {"n": prefix, "N": prefix.capitalize(), "power": signed(power)}
                for prefix, power in facts.PREFIXES.items()
            ),
            (
                "The power of {n} is {power}.",
                "{N} means ten to the power {power}.",
                "{N} has the power of ten {power}.",
            ),
            "The power of {n} is {power}.",
            attributes=("power", "power of ten"),
            own=Phrasings((), ("What does {n} mean?", "How big is {n}?"), (), ("What is meant by {n}?",), ()),
        ),
        Kind(
            "prefix by power",
            tuple(
                {"n": prefix, "N": prefix.capitalize(), "power": signed(power)}
                for prefix, power in facts.PREFIXES.items()
            ),
            ("Ten to the power {power} is called {n}.", "The prefix of power {power} is {n}."),
            "That is {n}.",
            clues=("power {power}", "power of ten {power}"),
            looked_for=("prefix",),
            own=Phrasings(
                (),
                ("What do we call ten to the power {power}?",),
                (),
                ("What is ten to the power {power} called?",),
                (),
            ),
        ),
    )


@cache
def tuning_kinds() -> tuple[Kind, ...]:
    """What the fine-tuning teaches: the base knows the facts as sentences and was never asked."""
    return (
        Kind(
            "mass",
            _element_values(mass=lambda e: e.mass),
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
            _element_values(group=lambda e: e.group),
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
            _element_values(category=lambda e: e.category),
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
            _element_values(block=lambda e: e.block),
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
            _element_values(symbol=lambda e: e.symbol),
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
            _element_values(number=lambda e: e.number),
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
