"""What `load_backbone` promises about dropout, and what it refuses."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import InputError, PocketGemmaError
from pipeline.gemma.causal_lm import last_logits_only, load_backbone, load_causal_lm, logits_of
from pipeline.gemma.hugging_face import write_hugging_face
from pipeline.gemma.tokenizer import Tokenizer

INPUTS = {"token_ids": np.array([[2, 40, 41, 42, 43]], np.int32), "padding_mask": np.ones((1, 5), np.int32)}


def numbers(tensor: Any) -> np.ndarray:
    from keras import ops

    return np.asarray(ops.convert_to_numpy(ops.stop_gradient(tensor)))


def hidden(backbone, training: bool) -> np.ndarray:  # type: ignore[no-untyped-def]
    return numbers(backbone(INPUTS, training=training))


@pytest.mark.slow
def test_dropout_acts_while_training_and_only_then(base: Path) -> None:
    plain, dropping = load_backbone(base), load_backbone(base, dropout=0.3)
    np.testing.assert_allclose(hidden(dropping, False), hidden(plain, False), atol=1e-5)
    assert np.abs(hidden(dropping, True) - hidden(dropping, True)).max() > 0.01
    np.testing.assert_allclose(hidden(plain, True), hidden(plain, False), atol=1e-5)


def test_only_the_last_position_of_a_prompt_is_projected_onto_the_vocabulary(base: Path) -> None:
    backbone = load_causal_lm(base).backbone
    hidden = np.random.default_rng(0).standard_normal((2, 5, backbone.hidden_dim)).astype(np.float32)
    whole = numbers(logits_of(backbone, hidden))
    with last_logits_only(backbone):
        last = numbers(logits_of(backbone, hidden))
    assert last.shape == (2, 1, backbone.vocabulary_size)
    np.testing.assert_allclose(last[:, 0], whole[:, -1], rtol=1e-5, atol=1e-5)
    assert numbers(logits_of(backbone, hidden)).shape == whole.shape


def test_a_hugging_face_folder_is_the_same_model(base: Path, tmp_path: Path) -> None:
    model = load_causal_lm(base)
    write_hugging_face(model, Tokenizer.of_preset(base), tmp_path)
    # Longer than the sliding window, where a misread mask or rope base would show.
    long = (
        np.random.default_rng(0)
        .integers(4, 1000, (1, model.backbone.sliding_window_size + 40))
        .astype(np.int32)
    )
    inputs = {"token_ids": long, "padding_mask": np.ones_like(long)}
    ours, theirs = (numbers(loaded(inputs)) for loaded in (model.backbone, load_backbone(tmp_path)))
    np.testing.assert_allclose(theirs, ours, atol=1e-4)


@pytest.mark.usefixtures("base")
@pytest.mark.parametrize("load", [load_backbone, load_causal_lm])
def test_a_folder_that_is_no_preset_is_refused_in_one_line(load, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="KerasHub cannot load this preset|not a preset config") as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


def test_an_export_of_a_model_that_its_family_does_not_describe_is_refused(
    base: Path, tmp_path: Path
) -> None:
    model = load_causal_lm(base)
    block = model.backbone.get_layer("decoder_block_1")
    block.pre_ffw_norm.name = "another_norm"
    with pytest.raises(PocketGemmaError, match="layer 'pre_ffw_norm' of gemma3 is missing from the model"):
        write_hugging_face(model, Tokenizer.of_preset(base), tmp_path / "hf")
    assert not (tmp_path / "hf").exists()
