"""Phrasings that are called novel are novel, and what people put around a question leaves the question
whole."""

import random
from itertools import combinations

import pytest

from pipeline.demo.base_kinds import base_kinds
from pipeline.demo.dressing import NOVEL_CLOSINGS, NOVEL_OPENINGS, dress, dress_novel
from pipeline.demo.phrasings import (
    ARITHMETIC,
    ATTRIBUTE,
    CLUE,
    PLACE,
    Phrasings,
)
from pipeline.demo.text import document
from pipeline.demo.tuning_kinds import tuning_kinds

SETS = ("tuning", "base", "validation", "novel", "validation_novel")
GENERAL = {"attribute": ATTRIBUTE, "place": PLACE, "clue": CLUE, "arithmetic": ARITHMETIC}
OWN = {kind.name: kind.own for kind in base_kinds() + tuning_kinds()}


def core(template: str) -> str:
    return template.rstrip("?.").lower()


@pytest.mark.parametrize("name", GENERAL | OWN)
def test_no_phrasing_is_in_two_sets(name: str) -> None:
    phrasings: Phrasings = (GENERAL | OWN)[name]
    for one, other in combinations(SETS, 2):
        assert not {core(t) for t in getattr(phrasings, one)} & {core(t) for t in getattr(phrasings, other)}


@pytest.mark.parametrize("name", GENERAL | OWN)
def test_no_novel_phrasing_has_a_trained_one_inside(name: str) -> None:
    phrasings: Phrasings = (GENERAL | OWN)[name]
    trained = {core(t) for t in phrasings.met_by_base} - {"{e}"}
    for template in phrasings.novel + phrasings.validation_novel:
        assert not [t for t in trained if t in core(template)], template


def test_pretraining_text_has_no_novel_opening_or_closing() -> None:
    rng = random.Random(1)
    for _ in range(20_000):
        text = document(rng)
        for prompt in [] if isinstance(text, str) else [turn.prompt for turn in text]:
            assert not any(part in prompt for part in NOVEL_OPENINGS + NOVEL_CLOSINGS)


@pytest.mark.parametrize("put_around", [dress, dress_novel])
def test_what_is_put_around_a_question_leaves_its_words(put_around) -> None:  # type: ignore[no-untyped-def]
    rng = random.Random(2)
    dressed = [put_around(rng, "Which element has the symbol Fe?", 1.0) for _ in range(300)]
    assert all("hich element has the symbol Fe" in text for text in dressed)
    assert len(set(dressed)) > 5
    assert put_around(rng, "Which element has the symbol Fe?", 0.0) == "Which element has the symbol Fe?"
