"""Small random models of several families, and examples for them."""

from typing import Any

import numpy as np

RANDOM = np.random.default_rng(0)
LENGTHS = [24, 7, 16, 24, 11] * 12
EXAMPLES = [RANDOM.integers(3, 90, length).tolist() for length in LENGTHS]
SHAPE = {
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 32,
    "sliding_window": 8,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}


def make_model(family: str) -> Any:
    """A small model of a family with random weights."""
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(family, **SHAPE)
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    with torch.no_grad():
        for parameter in model.parameters():
            # Freshly made weights are so small that every output is alike.
            if parameter.ndim == 2:
                parameter.mul_(4)
    return model


def matrices(model: Any) -> dict[str, Any]:
    return {name: parameter for name, parameter in model.named_parameters() if parameter.ndim == 2}
