"""Promise: perplexity is that of the logits, follows what the model learns, and is none where it is not
finite."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.data.general_text import general_text
from pipeline.data.tokenize import EncodedExamples
from pipeline.gemma.causal_lm import load_causal_lm
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.run.files import FinetuneFiles
from pipeline.tuning.forgetting import perplexity
from pipeline.tuning.loop import fit
from pipeline.tuning.method import MethodSettings
from pipeline.tuning.methods.lora import METHOD
from tests.tuning.conftest import EVERY_TARGET, SETTINGS


def test_it_is_that_of_the_logits(base: Path) -> None:
    from keras import ops

    text = general_text(Tokenizer.of_preset(base)).first(3)
    model = load_causal_lm(base)
    losses: list[float] = []
    for example in text.examples:
        ids = example.token_ids[None]
        logits = ops.convert_to_numpy(model({"token_ids": ids, "padding_mask": np.ones_like(ids)}))[0]
        shares = logits.astype(np.float64) - np.log(np.exp(logits.astype(np.float64)).sum(-1, keepdims=True))
        losses += (-shares[np.arange(len(example) - 1), example.token_ids[1:]]).tolist()
    assert perplexity(model.backbone, text) == pytest.approx(np.exp(np.mean(losses)), rel=1e-4)


@pytest.mark.slow
def test_it_follows_what_the_model_learns(base: Path, examples: EncodedExamples, tmp_path: Path) -> None:
    backbone = load_causal_lm(base).backbone
    METHOD.attach(backbone, MethodSettings(8, 8.0, EVERY_TARGET))
    before = perplexity(backbone, examples)
    assert before is not None
    training = fit(backbone, examples, examples, SETTINGS, FinetuneFiles(tmp_path))
    assert training.untrained_validation_loss == pytest.approx(np.log(before), rel=1e-5)
    after = perplexity(backbone, examples)
    assert after is not None
    assert training.best_validation_loss == pytest.approx(np.log(after), rel=1e-5)
    assert after < 0.5 * before


@pytest.mark.parametrize("scale", [np.nan, 1e6])
def test_none_where_it_is_not_finite(base: Path, examples: EncodedExamples, scale: float) -> None:
    """NaN, and a loss of more than 709 nats."""
    backbone = load_causal_lm(base).backbone
    final = backbone.get_layer("final_normalization").scale
    final.assign(final * scale)
    assert perplexity(backbone, examples) is None


def test_it_allocates_nothing_for_an_optimizer(
    base: Path, examples: EncodedExamples, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A compiled model with an optimizer reserves two copies of every trainable weight at its first step."""
    import keras

    backbone = load_causal_lm(base).backbone
    for kind in (keras.optimizers.Optimizer, keras.optimizers.RMSprop):
        monkeypatch.setattr(kind, "build", lambda *_: pytest.fail("an optimizer was built"))
    assert perplexity(backbone, examples)
