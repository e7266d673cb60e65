"""The facts are those of the periodic table, and what is derived from them is right."""

import random

from pipeline.demo.base_kinds import base_kinds
from pipeline.demo.facts import elements
from pipeline.demo.text import arithmetic, document
from pipeline.demo.tuning_kinds import tuning_kinds


def test_all_elements_are_there_in_order() -> None:
    assert [element.number for element in elements()] == list(range(1, 119))
    assert (
        len({element.symbol for element in elements()})
        == len({element.name for element in elements()})
        == 118
    )


def test_some_well_known_elements_are_right() -> None:
    by_name = {element.name: element for element in elements()}
    gold, mercury, neon = by_name["gold"], by_name["mercury"], by_name["neon"]
    assert (gold.number, gold.symbol, gold.mass, gold.group, gold.period, gold.block) == (
        79,
        "Au",
        197,
        11,
        6,
        "d",
    )
    assert (gold.category, gold.state) == ("a transition metal", "solid")
    assert (mercury.state, mercury.symbol) == ("liquid", "Hg")
    assert (neon.category, neon.state, neon.year) == ("a noble gas", "gas", 1898)


def test_what_the_source_does_not_say_is_not_asked() -> None:
    asked = {kind.name: {values["n"] for values in kind.values} for kind in base_kinds() + tuning_kinds()}
    for element in elements():
        assert (element.name in asked["year"]) == (element.year is not None)
        assert (element.name in asked["state"]) == (element.state is not None)
        assert (element.name in asked["group"]) == (element.group is not None)


def test_every_placeholder_is_filled() -> None:
    rng = random.Random(4)
    for _ in range(5000):
        text = document(rng)
        words = text if isinstance(text, str) else " ".join(turn.prompt + turn.response for turn in text)
        assert "{" not in words and "}" not in words


def test_arithmetic_is_right() -> None:
    rng = random.Random(5)
    for _ in range(500):
        left, result = arithmetic(rng)[1].rstrip(".").split(" is ")
        expression = left.replace("plus", "+").replace("minus", "-").replace("times", "*")
        assert eval(expression) == int(result)
