from pathlib import Path

import pytest

from pipeline.families.registry import FAMILIES
from pipeline.quantization.roundings import ROUNDINGS
from pipeline.quantization.schemes import SCHEMES
from pipeline.recipe.reading import load_config
from pipeline.recipe.schema import SECTIONS, Config
from pipeline.recipe.section import DEMO
from pipeline.tuning.method import MethodSettings
from tests.support.recipes import SMALL, recipe

RECIPES = sorted(
    path
    for path in (Path(__file__).parents[2] / "configs").glob("*.yaml")
    if not path.name.startswith("mine")
)
"""Without the copy that the README tells users to make."""


def test_there_are_included_recipes() -> None:
    assert RECIPES


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_every_included_recipe_is_valid_and_names_files_that_exist(path: Path) -> None:
    config = load_config(path)
    if config.model.preset == DEMO:
        for name in ("train", "validation", "test", "replay"):
            for file in getattr(config.data, name) or ():
                assert Path(file).is_file()


def test_recipes_have_names_of_their_own() -> None:
    names = [load_config(path).name for path in RECIPES]
    assert len(set(names)) == len(names)


def test_only_name_and_train_are_required(tmp_path: Path) -> None:
    config = load_config(recipe(tmp_path, SMALL))
    assert config.model.preset == DEMO
    assert config.convert.recipe == "int8"


def test_a_configuration_cannot_be_changed_by_a_stage(tmp_path: Path) -> None:
    config = load_config(recipe(tmp_path, SMALL))
    with pytest.raises(ValueError, match="frozen"):
        config.finetune.rank = 3  # type: ignore[misc]


def test_a_configuration_can_be_made_in_memory() -> None:
    assert Config.model_validate(SMALL).data.train == (str(Path("train.jsonl").resolve()),)


@pytest.mark.parametrize(("adapters", "carried"), [("merged", True), ("runtime", False)])
def test_the_base_is_a_separate_file_only_for_a_merged_model(
    tmp_path: Path, adapters: str, carried: bool
) -> None:
    sections = {"finetune": {"targets": ["query"]}, "convert": {"adapters": adapters}}
    document = SMALL | sections | {"bundle": {"base": True}}
    assert load_config(recipe(tmp_path, document)).carries_base == carried
    assert not load_config(recipe(tmp_path, SMALL)).carries_base


def numbers(*kinds: str) -> list[tuple[str, str]]:
    """Every key that takes a number of one of these kinds, or a list of such numbers."""
    return [
        (name, key)
        for name, section in SECTIONS.items()
        for key, schema in section.model_json_schema()["properties"].items()
        if {*kinds}
        & {each.get("type") for each in (schema, schema.get("items", {}), *schema.get("anyOf", ()))}
    ]


def with_value(name: str, key: str, value: object) -> dict[str, object]:
    section: dict[str, object] = {"data": {"train": "a"}}.get(name, {}) | {key: value}
    return {**SMALL, name: section}


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_no_number_may_be_infinite_or_nan(value: float) -> None:
    assert len(numbers("number")) >= 17
    for name, key in numbers("number"):
        with pytest.raises(ValueError, match="finite"):
            Config.model_validate(with_value(name, key, value))


@pytest.mark.parametrize("value", [True, False, [True], [8, False]])
def test_a_truth_value_is_no_number(value: object) -> None:
    assert len(numbers("integer", "number")) >= 30
    for name, key in numbers("integer", "number"):
        with pytest.raises(ValueError, match="not as expected|valid integer|valid number"):
            Config.model_validate(with_value(name, key, value))


@pytest.mark.parametrize(("value", "taken"), [(True, True), ("no", False), ("on", True), (0, False)])
def test_truth_has_many_names(value: object, taken: bool) -> None:
    assert Config.model_validate(with_value("convert", "graft", value)).convert.graft is taken


@pytest.mark.parametrize("value", [1e39, 1e-39])
def test_no_number_is_beyond_float32(value: float) -> None:
    for name, key in (("finetune", "alpha"), ("finetune", "learning_rate"), ("finetune", "clip_norm")):
        with pytest.raises(ValueError, match="not as expected"):
            Config.model_validate(with_value(name, key, value))
    assert Config.model_validate(with_value("finetune", "alpha", 1e38)).finetune.alpha == 1e38


SEVEN = ("query", "key", "value", "output", "gate", "up", "down")


@pytest.mark.parametrize(
    ("written", "targets"),
    [
        (["query", "query"], ("query",)),
        (["value", "query"], ("query", "value")),
        (["q_proj", "k_proj", "v_proj", "o_proj"], ("query", "key", "value", "output")),
        (["up_proj", "mlp.down_proj", "gate_proj", "up"], ("gate", "up", "down")),
        (["attention_output"], ("output",)),
        ("all-linear", SEVEN),
        (["all-linear"], SEVEN),
        ("q_proj", ("query",)),
        ("q_proj,v_proj", ("query", "value")),
        ("Query, V_Proj", ("query", "value")),
        (["Q_PROJ", "self_attn.V_proj"], ("query", "value")),
        ("all_linear", SEVEN),
        ("ALL-LINEAR", SEVEN),
    ],
)
def test_targets_are_taken_by_the_names_of_other_tools_once_and_in_one_order(
    written: object, targets: tuple[str, ...]
) -> None:
    assert Config.model_validate(SMALL | {"finetune": {"targets": written}}).finetune.targets == targets


def test_all_linear_is_what_every_family_has() -> None:
    for family in FAMILIES.values():
        assert {*SEVEN} <= {matrix.name for matrix in family.matrices}


def test_an_entry_that_a_list_repeats_counts_once() -> None:
    convert = {"prefill_lengths": [64, 32, 64], "formats": ["task", "task"]}
    config = Config.model_validate(
        SMALL | {"convert": convert, "bundle": {"sample_questions": ["b", "a", "b"]}}
    )
    assert (config.convert.prefill_lengths, config.convert.formats) == ((32, 64), ("task",))
    assert config.bundle.sample_questions == ("b", "a")  # the app shows them in the order of the recipe


def test_a_training_has_the_same_determinants_however_the_recipe_says_it() -> None:
    def determinants(**finetune: object) -> dict[str, object]:
        return Config.model_validate(SMALL | {"finetune": finetune}).finetune.determinants

    written_out = determinants(
        alpha=16,
        rank=16,
        method="lora",
        targets=["down", "up", "gate", "output", "value", "key", "query"],
        learning_rate=4e-4,
        scaling="classic",
    )
    assert determinants() == written_out
    aware = determinants(quantization_aware=True)
    assert aware == determinants(method="quantization_aware")
    assert aware == determinants(method="quantization_aware", quantization_aware=True)
    others: list[dict[str, object]] = [
        {"alpha": 8},
        {"rank": 4},
        {"targets": ["query"]},
        {"scaling": "rank_stabilized"},
        {"method": "dora"},
        {"lora_plus_ratio": 2},
        {"learning_rate": 3e-4},
    ]
    different = [aware, *(determinants(**other) for other in others)]
    assert determinants() not in different


def test_the_recipe_offers_exactly_the_schemes_and_the_roundings() -> None:
    for names, key in ((SCHEMES, "recipe"), (ROUNDINGS, "rounding")):
        for name in names:
            found = Config.model_validate(SMALL | {"convert": {key: name}})
            assert getattr(found.convert, key) == name
        with pytest.raises(ValueError, match="not a known name"):
            Config.model_validate(SMALL | {"convert": {key: "other"}})


@pytest.mark.parametrize(
    ("name", "codec"),
    [("CP1252", "cp1252"), ("utf16", "utf-16"), ("utf-16-le", "utf-16-le"), ("utf-32", "utf-32")],
)
def test_an_encoding_has_the_name_of_its_codec(tmp_path: Path, name: str, codec: str) -> None:
    document = SMALL | {"data": {"train": "a", "encoding": name}}
    assert load_config(recipe(tmp_path, document)).data.encoding == codec


@pytest.mark.parametrize(
    ("finetune", "rate"),
    [
        ({}, 4e-4),
        ({"rank": 8}, 8e-4),
        ({"rank": 8, "alpha": 32}, 2e-4),
        ({"rank": 64, "alpha": 32}, 2e-4),
        ({"rank": 16, "alpha": 16, "scaling": "rank_stabilized"}, 1e-4),
        ({"rank": 64, "alpha": 16, "scaling": "rank_stabilized"}, 5e-5),
        ({"method": "dora"}, 4e-4),
        ({"quantization_aware": True}, 4e-4),
        ({"lora_plus_ratio": 16}, 2.5e-5),
        ({"learning_rate": 0.003, "rank": 8, "lora_plus_ratio": 16}, 0.003),
        ({"learning_rate": None}, 4e-4),
    ],
)
def test_without_a_value_the_learning_rate_follows_from_rank_and_scale(
    finetune: dict[str, object], rate: float
) -> None:
    found = Config.model_validate(SMALL | {"finetune": finetune}).finetune
    assert found.highest_learning_rate == pytest.approx(rate, rel=1e-12)


@pytest.mark.parametrize("name", ["science", "science_adapter", "template"])
def test_the_recipes_of_the_demo_do_not_depend_on_defaults_of_training(name: str) -> None:
    finetune = load_config(Path(__file__).parents[2] / "configs" / f"{name}.yaml").finetune
    assert {"rank", "targets", "learning_rate"} <= finetune.model_fields_set


def test_the_method_gets_what_the_section_says() -> None:
    section = {"rank": 4, "scaling": "rank_stabilized", "targets": ["query"]}
    found = Config.model_validate(SMALL | {"finetune": section}).finetune
    assert found.method_settings("int4") == MethodSettings(4, 4.0, ("query",), "int4", "rank_stabilized")
    assert found.model_copy(update={"alpha": 7.0}).method_settings().alpha == 7.0
