"""Promise: every key of the JSON report is documented."""

from dataclasses import fields, is_dataclass
from pathlib import Path

from pipeline.inspect import facts

ROOT = Path(__file__).parents[2]


def test_every_key_of_the_json_is_documented() -> None:
    text = (ROOT / "docs" / "litert.md").read_text(encoding="utf-8").partition("## Inspecting a file")[2]
    kinds = [kind for kind in vars(facts).values() if is_dataclass(kind)]
    names = {each.name for kind in kinds for each in fields(kind)}
    assert {name for name in names if f"`{name}" not in text} == set()
