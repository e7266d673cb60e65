"""How the next token is drawn."""

from dataclasses import dataclass, replace
from pathlib import Path
from random import randint

from pipeline.formats.litertlm import read_container

MAX_SEED = 2**31 - 1
"""The runtime's seeds are 32-bit integers."""


@dataclass(frozen=True)
class Sampling:
    """The runtime's only sampler: draw from the likeliest tokens.

    Attributes:
        top_k: from this many tokens.
        top_p: from those that reach this probability together.
        temperature: above 0.
        seed: of the draws of a conversation; None: 0.
    """

    top_k: int
    top_p: float
    temperature: float
    seed: int | None = None


GREEDY = Sampling(top_k=1, top_p=1.0, temperature=1.0)
"""Always the likeliest token."""

GEMMA = Sampling(top_k=64, top_p=0.95, temperature=1.0)
"""What Gemma's authors recommend (generation_config.json of Gemma 3)."""


def sampling_of(model: Path) -> Sampling | None:
    """The sampling that a model file specifies; None if it specifies none that can be read."""
    sampler = None if model.suffix == ".task" else read_container(model).llm_metadata().sampler
    if sampler is None:
        return None
    if sampler.type == "GREEDY" or sampler.temperature <= 0:
        return GREEDY
    if sampler.k <= 0 or sampler.type not in ("TOP_K", "TOP_P"):
        return None
    top_p = sampler.p if sampler.type == "TOP_P" else 1.0
    return Sampling(sampler.k, top_p, sampler.temperature, sampler.seed)


def chosen_sampling(model: Path, temperature: float | None, seed: int | None) -> Sampling | None:
    """The sampling that a model file specifies, with another temperature or seed.

    Args:
        model: a .litertlm or .task file.
        temperature: 0 always takes the likeliest token; None: the file's.
        seed: 0 to MAX_SEED; None: the file's, or a random one.

    Returns:
        None leaves everything to the runtime: nothing is chosen, and the file specifies nothing.
    """
    if temperature == 0:
        return GREEDY
    own = sampling_of(model)
    if own is None and temperature is None and seed is None:
        return None
    sampling = own or GEMMA
    if temperature is not None:
        # A greedy file draws from one token only.
        sampling = replace(GEMMA if sampling.top_k == 1 else sampling, temperature=temperature)
    # A file with seed 0 has chosen none: 0 is the default value of the field.
    return replace(sampling, seed=seed if seed is not None else sampling.seed or randint(1, MAX_SEED))
