"""MediaPipe's bundler in its own process: `python -m pipeline.litert.bundler REQUEST.json`.

Its package imports torch, jax and tensorflow whatever is asked of it.
"""

import json
import sys
from pathlib import Path


def main(request: Path) -> None:
    """Write a .task.

    Args:
        request: JSON file with the arguments of mediapipe's BundleConfig.
    """
    from mediapipe.tasks.python.genai import bundler

    bundler.create_bundle(bundler.BundleConfig(**json.loads(request.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
