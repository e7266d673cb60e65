"""Promise: layers that are computed twice give the same gradients, and less is kept for them."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.data.tokenize import EncodedExamples
from pipeline.tuning.rematerialization import rematerialize
from tests.tuning.gradients import loss_and_gradients


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_layers_computed_twice_give_the_same_gradients_with_less_kept(
    base: Path, examples: EncodedExamples, dtype: str
) -> None:
    loss, gradients, kept = loss_and_gradients(base, examples, dtype=dtype)
    again, found, less = loss_and_gradients(base, examples, prepare=rematerialize, dtype=dtype)
    assert again == loss
    for name, gradient in gradients.items():
        np.testing.assert_array_equal(found[name], gradient, err_msg=name)
    assert less < kept / 3
