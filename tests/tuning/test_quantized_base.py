"""Promise: training on a base of integers computes with the values that the integers stand for."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.data.tokenize import EncodedExamples
from pipeline.errors import InputError, PocketGemmaError
from pipeline.families.names import MATRICES
from pipeline.families.registry import FAMILIES, read_shape
from pipeline.gemma.causal_lm import load_backbone, matrix_layers
from pipeline.quantization.rounding import nearest
from pipeline.tuning.quantized_base import BITS, INT4_BLOCK, BaseType, check_base, dequantized, quantize_base
from tests.support.random_presets import write_keras_preset
from tests.tuning.gradients import loss_and_gradients


def round_kernels(backbone: Any, kind: BaseType) -> None:
    """Replace the kernels by the floats that the integers stand for."""
    for target, matrix in MATRICES.items():
        for _, layer in matrix_layers(backbone, target):
            values = matrix.as_matrix(np.asarray(layer._kernel))
            rounded = nearest(values, BITS[kind], INT4_BLOCK if kind == "int4" else None).dequantized()
            assert 0 < np.abs(rounded - values).max() < 0.1 * np.abs(values).max()
            layer._kernel.assign(matrix.as_kernel(rounded, layer._kernel.shape))


@pytest.mark.parametrize("columns", [INT4_BLOCK, 2 * INT4_BLOCK])
@pytest.mark.parametrize("kind", ["int8", "int4"])
def test_integers_are_unpacked_as_they_were_packed(kind: BaseType, columns: int) -> None:
    from keras import ops

    matrix = np.random.default_rng(0).standard_normal((6, columns)).astype(np.float32)
    stored = nearest(matrix, BITS[kind], INT4_BLOCK if kind == "int4" else None)
    integers = stored.packed().view(np.int8).reshape(len(matrix), -1)
    found = dequantized(
        ops.convert_to_tensor(integers), ops.convert_to_tensor(stored.scales), BITS[kind], "float32"
    )
    np.testing.assert_array_equal(ops.convert_to_numpy(found), stored.dequantized())


def test_the_memory_of_the_kernels_is_freed(base: Path) -> None:
    import gc
    import weakref

    backbone = load_backbone(base)
    kernels = [
        weakref.ref(layer._kernel.value) for name in MATRICES for _, layer in matrix_layers(backbone, name)
    ]
    quantize_base(backbone, "int8")
    gc.collect()
    assert kernels and not any(kernel() is not None for kernel in kernels)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["int8", "int4"])
def test_training_computes_with_the_stored_integers(
    base: Path, examples: EncodedExamples, kind: BaseType
) -> None:
    exact, _, _ = loss_and_gradients(base, examples)
    wanted, gradients, _ = loss_and_gradients(base, examples, lambda backbone: round_kernels(backbone, kind))
    loss, found, _ = loss_and_gradients(base, examples, lambda backbone: quantize_base(backbone, kind))
    assert loss == pytest.approx(wanted, rel=1e-5)
    assert abs(wanted - exact) > 1e-4 * exact
    for name, gradient in gradients.items():
        limit = 1e-4 * np.abs(gradient).max()
        np.testing.assert_allclose(found[name], gradient, atol=limit, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["int8", "int4"])
def test_no_kernel_is_left_in_floats(base: Path, examples: EncodedExamples, kind: BaseType) -> None:
    sizes = {}

    def measure(backbone: Any) -> None:
        quantize_base(backbone, kind)
        for target in MATRICES:
            for name, layer in matrix_layers(backbone, target):
                bits = {str(each.dtype): 8 * each.value.nbytes for each in layer.non_trainable_variables}
                assert bits.keys() == {"int8", "float32"}
                sizes[name] = bits["int8"] / BITS[kind], bits["float32"] / 32

    loss_and_gradients(base, examples, measure)
    assert len(sizes) == 42
    assert all(values >= 32 * scales for values, scales in sizes.values())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["int8", "int4"])
def test_in_bfloat16_it_is_near(base: Path, examples: EncodedExamples, kind: BaseType) -> None:
    def quantize(backbone: Any) -> None:
        quantize_base(backbone, kind)

    exact, _, _ = loss_and_gradients(base, examples, quantize)
    rough, found, _ = loss_and_gradients(base, examples, quantize, dtype="bfloat16")
    assert rough == pytest.approx(exact, rel=0.1)
    assert all(gradient.any() for gradient in found.values())


@pytest.mark.slow
@pytest.mark.parametrize("family", ["gemma", "gemma2", "gemma3"])
def test_families_train_on_a_base_of_integers(family: str, examples: EncodedExamples, tmp_path: Path) -> None:
    preset = write_keras_preset(family, tmp_path)
    exact, _, _ = loss_and_gradients(preset, examples)
    loss, found, _ = loss_and_gradients(preset, examples, lambda backbone: quantize_base(backbone, "int8"))
    assert loss == pytest.approx(exact, rel=0.02)
    assert all(gradient.any() for gradient in found.values())


def test_a_family_that_does_not_call_its_layers_is_refused(tmp_path: Path) -> None:
    shape = read_shape(write_keras_preset("gemma4", tmp_path))
    with pytest.raises(InputError) as caught:
        check_base(shape, "int8")
    assert str(caught.value) == (
        "finetune.quantize_base: KerasHub multiplies by the kernels of gemma4 without calling their layers, "
        "so they cannot be stored as integers; remove the key"
    )


@pytest.mark.slow
@pytest.mark.parametrize("family", sorted(set(FAMILIES) - {"gemma3n"}))
def test_only_families_that_call_their_layers_are_quantized(
    family: str, examples: EncodedExamples, tmp_path: Path
) -> None:
    """What the record of a family says is what KerasHub does."""
    preset = write_keras_preset(family, tmp_path)
    if read_shape(preset).family.calls_layers:
        loss_and_gradients(preset, examples, lambda backbone: quantize_base(backbone, "int8"))
        return
    with pytest.raises(PocketGemmaError, match="its kernel is stored as integers"):
        loss_and_gradients(preset, examples, lambda backbone: quantize_base(backbone, "int8"))


def test_int4_takes_whole_blocks(base: Path) -> None:
    shape = read_shape(base)
    check_base(shape, "int4")
    with pytest.raises(InputError, match="has 48 inputs, not a multiple of 32; set it to int8"):
        check_base(replace(shape, hidden=48), "int4")
