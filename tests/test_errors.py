import pytest

from pipeline.errors import InputError, PocketGemmaError


@pytest.mark.parametrize(("kind", "code"), [(PocketGemmaError, 1), (InputError, 2)])
def test_the_kind_of_error_determines_the_exit_code(kind: type[PocketGemmaError], code: int) -> None:
    with pytest.raises(PocketGemmaError) as caught:
        raise kind("recipe.yaml: missing")
    assert (caught.value.exit_code, str(caught.value)) == (code, "recipe.yaml: missing")
