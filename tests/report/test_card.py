"""Promise: the model card has the metadata that the Hub reads, and nothing that it cannot resolve."""

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard

from pipeline.families.terms import GEMMA_TERMS
from pipeline.report.card import escape, render_card
from pipeline.report.facts import Facts, gather
from pipeline.run.folder import Run
from tests.support.reported_run import make_run, refuse


@pytest.fixture(scope="module")
def facts(run_folder: Path) -> Facts:
    return gather(run_folder)


def front_matter(card: str) -> dict[str, Any]:
    """The metadata of a card, as the Hub's library reads it."""
    found: dict[str, Any] = yaml.safe_load(ModelCard(card).data.to_yaml())
    return found


def with_base(facts: Facts, name: str) -> Facts:
    assert facts.base
    return replace(facts, base=replace(facts.base, name=name, terms=GEMMA_TERMS))


def test_the_front_matter_is_what_the_hub_reads(facts: Facts) -> None:
    assert front_matter(render_card(facts)) == {
        "library_name": "transformers",
        "license": "apache-2.0",
        "pipeline_tag": "text-generation",
        "tags": ["gemma3", "lora", "pocketgemma"],
    }


def test_a_base_on_the_hub_is_named_there_with_its_license(facts: Facts) -> None:
    card = render_card(with_base(facts, "hf://google/gemma-3-270m-it@abc"))
    assert front_matter(card).items() >= {"base_model": "google/gemma-3-270m-it", "license": "gemma"}.items()
    assert GEMMA_TERMS.notice in card
    assert "base_model" not in front_matter(render_card(with_base(facts, "kaggle://keras/gemma3/keras/x")))


def test_data_sets_on_the_hub_are_named_there_and_files_are_not(facts: Facts) -> None:
    assert facts.data
    sources = ["hf://datasets/owner/name@main/part", "hf://datasets/owner/name", "mine.jsonl"]
    train = replace(facts.data.files[0], sources=sources)
    card = render_card(replace(facts, data=replace(facts.data, files=[train])))
    assert front_matter(card)["datasets"] == ["owner/name"]


def test_scores_are_those_of_the_comparison_with_their_interval(facts: Facts) -> None:
    card = render_card(facts)
    assert "This model, in Keras: 93.8 %." in card
    assert re.search(r"in LiteRT-LM: 87\.5 % \(95 % interval \d+\.\d to \d+\.\d %\)", card)
    assert "| even | 8 | 100.0 | 87.5 | 52.9 to 97.8 |" in card


def test_without_a_comparison_the_card_says_so(tmp_path: Path) -> None:
    assert "Not evaluated yet." in render_card(gather(make_run(tmp_path, "merge")))


def test_text_from_data_means_nothing_in_markdown(facts: Facts) -> None:
    card = render_card(replace(facts, name="<script>\n# a | [b](c) `d` *e*"))
    assert "# \\<script\\> \\# a \\| \\[b\\](c) \\`d\\` \\*e\\*" in card
    assert escape("a_b") == "a\\_b"


def test_the_same_run_gives_the_same_card(facts: Facts, run_folder: Path) -> None:
    assert render_card(facts) == render_card(gather(run_folder))


def test_a_card_without_a_base_is_an_error(facts: Facts) -> None:
    """Its license would be a guess."""
    with pytest.raises(ValueError, match="needs the results of download, finetune and merge"):
        render_card(replace(facts, base=None))


def test_settings_are_shown_only_if_they_apply(facts: Facts) -> None:
    assert "None" not in render_card(facts)


def test_a_refused_conversion_is_said_and_its_file_not_listed(run_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(run_folder, tmp_path / "run")
    assert "convert/model.litertlm" in render_card(gather(tmp_path / "run"))
    refuse(Run(tmp_path / "run"))
    card = render_card(gather(tmp_path / "run"))
    said = (
        "**The converted model was refused**: model file matches training: 12 matrices differ (required: yes)"
    )
    assert said in card
    assert "finetune/adapter.safetensors" in card and "convert/" not in card


def test_scores_on_training_examples_have_a_caveat(facts: Facts) -> None:
    assert facts.comparison
    caveat = "on 16 training examples. These are training examples: their accuracy says nothing about new"
    assert caveat in render_card(replace(facts, comparison=replace(facts.comparison, split="training")))
    assert "These are training" not in render_card(facts)
    assert "on 16 examples." in render_card(replace(facts, comparison=replace(facts.comparison, split="")))


def test_an_adapter_that_training_started_from_is_named_by_its_digest(facts: Facts) -> None:
    only = "The model was fine-tuned only on the data above."
    assert only in render_card(facts)
    assert facts.training
    card = render_card(replace(facts, training=replace(facts.training, start="ab" * 32)))
    assert f"- Started from an earlier adapter, sha256 `{'ab' * 32}`" in card
    assert only not in card and "whose training data is not listed here" in card
