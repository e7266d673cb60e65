"""A kind of question: what it asks, how its facts read as plain sentences, and how it is answered."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pipeline.demo import facts
from pipeline.demo.phrasings import ATTRIBUTE, CLUE, PLACE, Phrasings

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


def upper_first(text: str) -> str:
    """The text with a capital at its start."""
    return text[0].upper() + text[1:]


def render(template: str, values: Values) -> str:
    """A template with a fact's values put in, and a capital at its start."""
    return upper_first(_fill(template, **values))


def element_values(**columns: Callable[[facts.Element], object]) -> tuple[Values, ...]:
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
