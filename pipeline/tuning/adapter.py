"""A trained adapter in memory: the tensors of a tuning method, and the base that they belong to."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.formats.adapter_safetensors import write_adapter_safetensors
from pipeline.tuning.method import Method


@dataclass(frozen=True)
class Adapter:
    """A trained adapter. Its method knows what the tensors mean.

    Attributes:
        method: the tuning method that made it.
        base_digest: digest of the preset that it was trained on.
        settings: what the method records in the header of the file, in JSON types.
        tensors: by their name in the file, float32.
    """

    method: Method
    base_digest: str
    settings: Mapping[str, Any]
    tensors: Mapping[str, NDArray[np.float32]]

    def save(self, path: Path) -> None:
        """Write adapter.safetensors; equal tensors give equal bytes."""
        write_adapter_safetensors(path, self.method.format, self.base_digest, self.settings, self.tensors)
