"""Promise: a run folder that the real stages wrote has a page and a model card, whatever is missing in it."""

from pathlib import Path

import pytest

from pipeline.report.card import render_card
from pipeline.report.facts import gather
from pipeline.report.html import render
from tests.support.finished_run import QUESTIONS, finished_run

pytestmark = pytest.mark.slow
__all__ = ["finished_run"]


def test_a_run_of_the_real_stages_is_reported(finished_run: Path) -> None:
    facts = gather(finished_run)
    assert facts.comparison and facts.comparison.overall.count == QUESTIONS
    assert all(example.base and example.base.correct for example in facts.comparison.examples)
    assert facts.merge and (facts.merge.count, facts.merge.changed) == (12, "matrices")
    assert facts.memory and facts.memory.cost and facts.memory.cost.context_length == 256
    assert [file.path for file in facts.files if file.path.startswith("convert/")] == [
        "convert/model.litertlm",
        "convert/model.task",
    ]
    # The fixture records neither a summary of its examples nor a history.
    page = render(facts)
    assert "Undecided." in page and "<svg" not in page
    assert "the output of prepare is missing" in page.lower()
    assert "on 24 test examples" in render_card(facts)
