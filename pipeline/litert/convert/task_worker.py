"""MediaPipe's bundler in its own process: `python -m pipeline.litert.convert.task_worker REQUEST.json`."""

import json
import sys
import types
from pathlib import Path


def main(request: Path) -> None:
    """Write a .task.

    Args:
        request: JSON file with the arguments of mediapipe's BundleConfig.
    """
    _leave_out_what_bundling_does_not_need()
    from mediapipe.tasks.python.genai import bundler

    bundler.create_bundle(bundler.BundleConfig(**json.loads(request.read_text(encoding="utf-8"))))


def _leave_out_what_bundling_does_not_need() -> None:
    """Keep mediapipe from importing torch, jax and tensorflow.

    Its bundler takes sentencepiece from the module through which its own converter takes torch and jax, and decorates for its
    documentation with tensorflow when that is installed: 15 s, and together in one process they have been seen to crash.
    """
    import sentencepiece

    package = "mediapipe.tasks.python.genai.converter"
    converter = types.ModuleType(package)
    converter.external_dependencies = types.SimpleNamespace(sentencepiece=sentencepiece)  # type: ignore[attr-defined]
    sys.modules[package] = converter
    sys.modules["tensorflow"] = None  # type: ignore[assignment]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
