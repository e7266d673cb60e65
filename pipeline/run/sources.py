"""Digests of our own code, for results that a change of the code may change."""

from functools import cache
from pathlib import Path

import pipeline
from pipeline.cache import digest_of

PACKAGE = Path(pipeline.__file__).parent


@cache
def code_digest(*parts: str) -> str:
    """A digest of our own code.

    Args:
        parts: rooms such as `litert` and modules such as `stages/convert.py`, below the package.

    Raises:
        ValueError: there is no such room or module.
    """
    paths = [PACKAGE / part for part in parts]
    missing = [part for part, path in zip(parts, paths, strict=True) if not path.exists()]
    if missing:
        raise ValueError(f"not in the package: {', '.join(missing)}")
    return digest_of(paths)
