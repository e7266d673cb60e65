"""The kinds of question that the base model answers before fine-tuning."""

from functools import cache

from pipeline.demo import facts
from pipeline.demo.kinds import Kind, element_values, signed
from pipeline.demo.phrasings import Phrasings


@cache
def base_kinds() -> tuple[Kind, ...]:
    """What the base answers before any fine-tuning: elements first, then planets, units and prefixes."""
    return (
        Kind(
            "symbol",
            element_values(symbol=lambda e: e.symbol),
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
            element_values(number=lambda e: e.number),
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
            element_values(period=lambda e: e.period),
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
            element_values(year=lambda e: e.year),
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
            element_values(state=lambda e: e.state),
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
