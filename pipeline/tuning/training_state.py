"""What a training in progress consists of besides the frozen weights, as tensors."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras


def read_state(model: "keras.Model") -> dict[str, NDArray[Any]]:
    """The trained variables of a compiled model and the state of its optimizer and its random numbers, by a
    name; they may share memory with the model, until the next step."""
    from keras import ops

    state = {name: np.asarray(ops.convert_to_numpy(variable)) for name, variable in _variables(model)}
    return state | {name: generator().numpy() for name, (generator, _) in _generators().items()}


def write_state(model: "keras.Model", state: Mapping[str, NDArray[Any]]) -> None:
    """Set the same.

    Raises:
        KeyError: a variable is not in the state.
    """
    for name, variable in _variables(model):
        variable.assign(state[name])
    for name, (_, restore) in _generators().items():
        restore(state[name])


def _generators() -> dict[str, tuple[Callable[[], Any], Callable[[NDArray[np.uint8]], None]]]:
    """How the state of random numbers that no variable holds is read and set: on PyTorch, Keras draws the
    dropout of layers without a seed of their own from PyTorch's generators."""
    import keras

    if keras.config.backend() != "torch":
        return {}
    import torch

    found: dict[str, tuple[Callable[[], Any], Callable[[NDArray[np.uint8]], None]]] = {
        "torch.cpu": (torch.get_rng_state, lambda state: torch.set_rng_state(torch.from_numpy(state)))
    }
    if torch.cuda.is_available():
        found["torch.cuda"] = (
            torch.cuda.get_rng_state,
            lambda state: torch.cuda.set_rng_state(torch.from_numpy(state)),
        )
    return found


def _variables(model: "keras.Model") -> "Iterator[tuple[str, keras.Variable]]":
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    random = [each for each in model.non_trainable_variables if "seed_generator" in each.path]
    for kind, variables in (
        ("trained", model.trainable_variables),
        ("optimizer", model.optimizer.variables),
        ("random", random),
    ):
        for index, variable in enumerate(variables):
            yield f"{kind}.{index}", variable
