"""Full fine-tuning: every weight of the text decoder is trained, its matrices, its norms and the token
embedding, which is also the projection onto the vocabulary. The adapter is as large as the model.

Training takes four times the memory of the weights in float32: the weights, their gradient, and two moments
of AdamW; and one more copy for the best epoch.
"""

from collections.abc import Mapping
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.families.names import trained_shapes
from pipeline.tuning.base_weights import BaseWeightTuning
from pipeline.tuning.method import Method


def _in_peft(tensors: Mapping[str, NDArray[np.float32]]) -> NoReturn:
    raise InputError(
        "PEFT cannot represent full fine-tuning, which changes every weight; use the Hugging Face "
        "folder that the merge stage writes"
    )


LEARNING_RATE = 5e-5
"""About a tenth of LoRA's (Schulman et al. 2025, "LoRA Without Regret", Thinking Machines Lab)."""

METHOD: Method = BaseWeightTuning(
    "full", "Full fine-tuning", "every weight", trained_shapes, _in_peft, LEARNING_RATE
)
