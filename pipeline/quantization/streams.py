"""Examples on their way through the layers of a model, and what the linear layers get on that way."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from pipeline.quantization.stored_weights import Weights

BATCH_TOKENS = 4096
"""Tokens in a batch, including padding."""


@dataclass
class Stream:
    """Examples on their way through the layers of a model.

    Attributes:
        hidden: hidden states before the current layer, (batch, length, hidden).
        settings: what the model passes to each layer beside them: masks, positions, and in some families a
            vector for each token, and the keys and values that layers share.
    """

    hidden: torch.Tensor
    settings: list[tuple[tuple[Any, ...], dict[str, Any]]]


@dataclass
class Batch:
    """Examples, in the unrounded model and behind rounded layers.

    Attributes:
        token_ids: (batch, length), padded on the right, which causal attention never reads.
        real: (batch, length), bool: not padding.
        exact: in the unrounded model.
        rounded: behind rounded layers.
        outputs: of linear layers of the current layer that are rounded already, by name.
        inputs: of products outside the layers in the unrounded model, by module, (tokens, in).
    """

    token_ids: torch.Tensor
    real: torch.Tensor
    exact: Stream
    rounded: Stream
    inputs: dict[str, torch.Tensor]
    outputs: dict[str, torch.Tensor] = field(default_factory=dict)


class _Stop(Exception):
    """Ends a forward pass early."""


def make_batches(examples: Sequence[Sequence[int]], pad: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Token ids, and where they are not padding, (batch, length); examples of similar length together."""
    ordered = sorted(examples, key=len, reverse=True)
    while ordered:
        length = len(ordered[0])
        rows = ordered[: max(1, BATCH_TOKENS // length)]
        ordered = ordered[len(rows) :]
        ids = torch.tensor([[*row, *[pad] * (length - len(row))] for row in rows])
        yield ids, torch.arange(length) < torch.tensor([[len(row)] for row in rows])


def through(inner: Any, token_ids: torch.Tensor, weights: Weights) -> torch.Tensor:
    """The final hidden states, (batch, length, hidden)."""
    handles = []
    for layer in inner.layers:
        handles.append(layer.register_forward_pre_hook(lambda layer, _: weights.read(layer)))
        handles.append(layer.register_forward_hook(lambda layer, *_: weights.release(layer)))
    try:
        final: torch.Tensor = inner(input_ids=token_ids, use_cache=False).last_hidden_state
    finally:
        for handle in handles:
            handle.remove()
    return final


def before_layers(inner: Any, token_ids: torch.Tensor) -> Stream:
    """A stream before the first layer."""
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def passing(hidden: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        calls.append(((hidden, *args), kwargs))
        return hidden

    for layer in inner.layers:
        layer.forward = passing
    try:
        inner(input_ids=token_ids, use_cache=False)
    finally:
        for layer in inner.layers:
            del layer.forward
    return Stream(calls[0][0][0], [(args[1:], kwargs) for args, kwargs in calls])


def first_input(inner: Any, module: nn.Module, token_ids: torch.Tensor) -> torch.Tensor:
    """The input of a module that runs before the layers."""
    found: list[torch.Tensor] = []

    def stop(_: nn.Module, args: tuple[Any, ...]) -> None:
        found.append(args[0])
        raise _Stop

    handle = module.register_forward_pre_hook(stop)
    try:
        inner(input_ids=token_ids, use_cache=False)
    except _Stop:
        pass
    finally:
        handle.remove()
    return found[0]


def run_layer(layer: nn.Module, stream: Stream, index: int) -> torch.Tensor:
    """The hidden states behind a layer."""
    args, kwargs = stream.settings[index]
    result: Any = layer(stream.hidden, *args, **kwargs)
    output: torch.Tensor = result[0] if isinstance(result, tuple) else result
    return output


@contextmanager
def reused(layer: nn.Module, names: Sequence[str], outputs: dict[str, torch.Tensor]) -> Iterator[None]:
    """Let linear layers give the outputs that they gave in an earlier run, and keep the outputs of those that
    have not run yet. Neither their weights nor their inputs have changed in between."""
    handles = []
    modules = {name: layer.get_submodule(name) for name in names}

    def giving(output: torch.Tensor) -> Callable[..., torch.Tensor]:
        return lambda _: output

    def keeping(name: str) -> Callable[[nn.Module, tuple[Any, ...], torch.Tensor], None]:
        def hook(_: nn.Module, args: tuple[Any, ...], output: torch.Tensor) -> None:
            outputs[name] = output

        return hook

    known = outputs.keys() & modules.keys()
    for name, module in modules.items():
        if name in known:
            module.forward = giving(outputs[name])
        else:
            handles.append(module.register_forward_hook(keeping(name)))
    try:
        yield
    finally:
        for name in known:
            del modules[name].forward
        for handle in handles:
            handle.remove()


@dataclass
class Watched:
    """What an unrounded layer did with a batch.

    Attributes:
        groups: names of its linear layers in the order in which they ran; those with the same input together.
        inputs: of the first of each group, by name, without padding, (tokens, in).
        output: its hidden states, (batch, length, hidden).
    """

    groups: list[list[str]]
    inputs: dict[str, torch.Tensor]
    output: torch.Tensor


def watch(layer: nn.Module, batch: Batch, index: int) -> Watched:
    """Run an unrounded layer, and note the inputs of the linear layers in it."""
    groups: list[list[str]] = []
    inputs: dict[str, torch.Tensor] = {}
    last: list[torch.Tensor] = []

    def note(name: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        def hook(_: nn.Module, args: tuple[Any, ...]) -> None:
            if last and args[0] is last[0]:
                groups[-1].append(name)
            else:
                groups.append([name])
                inputs[name] = args[0][batch.real]
                last[:] = [args[0]]

        return hook

    handles = [
        module.register_forward_pre_hook(note(name))
        for name, module in layer.named_modules()
        if isinstance(module, nn.Linear)
    ]
    output = run_layer(layer, batch.exact, index)
    for handle in handles:
        handle.remove()
    return Watched(groups, inputs, output)


def input_of(layer: nn.Module, name: str, batch: Batch, index: int) -> torch.Tensor:
    """The inputs of a linear layer inside `layer`, behind rounded layers, without padding, (tokens, in)."""
    found: list[torch.Tensor] = []

    def stop(_: nn.Module, args: tuple[Any, ...]) -> None:
        found.append(args[0][batch.real])
        raise _Stop

    handle = layer.get_submodule(name).register_forward_pre_hook(stop)
    try:
        run_layer(layer, batch.rounded, index)
    except _Stop:
        pass
    finally:
        handle.remove()
    return found[0]
