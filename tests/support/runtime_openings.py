"""How often each model file is opened in the runtime."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pipeline.litert.runtime.engine import Runtime


def count_openings(monkeypatch: pytest.MonkeyPatch) -> "Counter[str]":
    """A counter by file name of what this process opens from now on."""
    opened: Counter[str] = Counter()
    original = Runtime.__init__

    def counted(self: Runtime, model: Path, **options: Any) -> None:
        opened[model.name] += 1
        original(self, model, **options)

    monkeypatch.setattr(Runtime, "__init__", counted)
    return opened
