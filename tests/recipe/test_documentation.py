from pydantic import BaseModel

from pipeline.recipe.documentation import TARGET, documentation
from pipeline.recipe.rules import RULES
from pipeline.recipe.schema import SECTIONS, Config


def test_the_page_is_that_of_the_schema() -> None:
    assert TARGET.read_text(encoding="utf-8") == documentation(), "run: make docs"


def test_every_key_has_a_row_with_its_meaning() -> None:
    page = documentation()
    sections: list[type[BaseModel]] = [Config, *SECTIONS.values()]
    for section in sections:
        for key, field in section.model_fields.items():
            if key not in SECTIONS:
                assert field.description, key
                assert any(
                    line.startswith(f"| `{key}` |") and field.description.replace("|", r"\|") in line
                    for line in page.splitlines()
                )


def test_types_limits_and_defaults_are_in_words() -> None:
    page = documentation()
    assert "| `rank` | whole number, 1 to 512 | `16` |" in page
    assert "| `top_p` | number, more than 0, 1 or less | `0.95` |" in page
    assert "| `alpha` | number, more than 0 | none |" in page
    assert "| `train` | path or list of paths | required |" in page
    assert "| `rounding` | one of `nearest`, `least_squares`, `gptq` | `nearest` |" in page
    assert "| `prefill_lengths` | list: whole number, 1 or more | `[128]` |" in page


def test_every_rule_is_on_the_page() -> None:
    page = documentation()
    assert [rule.__name__ for rule in RULES if " ".join((rule.__doc__ or "").split()) not in page] == []
