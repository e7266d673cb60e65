"""MediaPipe's bundler in a process of its own: `python -m pipeline.litert.convert.task_worker
REQUEST.json`."""

import json
import sys
import types
from pathlib import Path


def main(request: Path) -> None:
    """Write a .task.

    Args:
        request: JSON file with the arguments of mediapipe's BundleConfig.
    """
    _skip_unused_imports()
    from mediapipe.tasks.python.genai import bundler

    bundler.create_bundle(bundler.BundleConfig(**json.loads(request.read_text(encoding="utf-8"))))


def _skip_unused_imports() -> None:
    """Prevent mediapipe from importing torch, jax and tensorflow.

    Its bundler gets sentencepiece from the module from which its converter gets torch and jax, and uses
    decorators of tensorflow for documentation if that is installed. The imports take 15 s, and were observed
    to crash in one process.
    """
    import sentencepiece

    package = "mediapipe.tasks.python.genai.converter"
    converter = types.ModuleType(package)
    converter.external_dependencies = types.SimpleNamespace(sentencepiece=sentencepiece)  # type: ignore[attr-defined]
    sys.modules[package] = converter
    sys.modules["tensorflow"] = None  # type: ignore[assignment]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
