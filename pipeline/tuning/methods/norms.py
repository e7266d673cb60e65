"""Training the scales of the RMS norms only: some thousands of parameters.

BitFit (Ben Zaken et al. 2022, arXiv:2106.10199) trains the biases of a model and nothing else. A Gemma has no
biases; its norm scales are the nearest: vectors that act on all tokens alike. Training only them is known as
LN tuning (Zhao et al. 2023, arXiv:2312.11420).
"""

from pipeline.families.names import norm_shapes
from pipeline.formats.peft import ln_tuning_content
from pipeline.tuning.base_weights import BaseWeightTuning
from pipeline.tuning.method import Method

LEARNING_RATE = 4e-3
"""Ten times LoRA's at rank 16: few parameters have to move far."""

METHOD: Method = BaseWeightTuning(
    "norms", "Norm tuning", "the scales of norms", norm_shapes, ln_tuning_content, LEARNING_RATE
)
