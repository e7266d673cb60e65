"""Whether an adapter's targets and rank fit a model, before anything is loaded."""

import math
from collections.abc import Iterator

from pipeline.errors import InputError
from pipeline.families.family import GemmaShape
from pipeline.families.names import adapter_name
from pipeline.tuning.method import MethodSettings


def check_targets(shape: GemmaShape, settings: MethodSettings) -> None:
    """Check that a model has the matrices that get an adapter, and that no adapter has a larger rank than its
    matrix.

    Raises:
        InputError: it lacks one, or the rank is too large; names the key of the recipe.
    """
    known = [matrix.name for matrix in shape.family.matrices]
    unknown = [target for target in settings.targets if target not in known]
    if unknown:
        raise InputError(
            f"finetune.targets: {', '.join(unknown)}: not in a layer of {shape.family.name}; it has "
            f"{', '.join(known)}"
        )
    name, largest = min(_ranks(shape, settings), key=lambda found: found[1])
    if settings.rank > largest:
        raise InputError(
            f"finetune.rank: {settings.rank} exceeds the rank of {name}, which is at most {largest}; "
            f"set finetune.rank to at most {largest}"
        )


def adapted_kernels(shape: GemmaShape, settings: MethodSettings) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Every matrix that gets an adapter: its name in the adapter and the shape of its Keras kernel."""
    for layer in range(shape.layers):
        for matrix in shape.matrices_in(layer):
            if matrix.name in settings.targets:
                yield adapter_name(layer, matrix.name), matrix.kernel_shape(shape.in_layer(layer))


def _ranks(shape: GemmaShape, settings: MethodSettings) -> Iterator[tuple[str, int]]:
    """The rank at which A B can be any change of a matrix: A runs over all axes of a kernel but the last, B
    over the last."""
    for name, kernel in adapted_kernels(shape, settings):
        yield name, min(math.prod(kernel[:-1]), kernel[-1])
