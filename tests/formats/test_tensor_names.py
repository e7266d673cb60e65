"""Promise: a constant gets the Hugging Face name on which all tensor names agree; others keep their own
name."""

from pipeline.formats.tensor_names import module_paths, name_matrices, natural, short_name

LAYER = (
    "~.Module/~.GemmaForCausalLM_model/~.GemmaModel_model/~.GemmaDecoderLayer_{}/~.GemmaMLP_mlp/~.Linear_{};"
)


def path_of(layer: int, projection: str) -> str:
    return LAYER.format(layer, projection)


def test_the_names_of_modules_give_hugging_faces_names() -> None:
    assert module_paths(path_of(5, "up_proj")) == {"model.layers.5.mlp.up_proj.weight"}
    both = path_of(5, "up_proj") + path_of(5, "gate_proj")
    assert module_paths(both) == {"model.layers.5.mlp.up_proj.weight", "model.layers.5.mlp.gate_proj.weight"}
    assert module_paths("arith.constant12") == set()
    assert module_paths("~.Module/~.GemmaForCausalLM_model/~.Rotary_rotary_emb;") == set()


def test_names_that_contain_two_matrices_are_settled_by_the_others() -> None:
    up, gate = path_of(0, "up_proj"), path_of(0, "gate_proj")
    assert name_matrices({1: [gate + up], 2: [gate, gate], 3: ["arith.constant"]}, frozenset()) == {
        1: "model.layers.0.mlp.up_proj.weight",
        2: "model.layers.0.mlp.gate_proj.weight",
    }
    assert name_matrices({1: [gate + up], 2: [gate + up]}, frozenset()) == {}


def test_the_only_unnamed_table_that_is_looked_up_is_the_embedding() -> None:
    constants = {1: ["table"], 2: ["other"]}
    assert name_matrices(constants, {1}) == {1: "model.embed_tokens.weight"}
    assert name_matrices(constants, {1, 2}) == {}


def test_short_names_are_what_one_kind_of_matrix_has_in_common() -> None:
    assert short_name("a.b.Decoder/transformer_block_11/attn_4.qkv;") == "qkv"
    assert short_name("model.layers.5.mlp.up_proj.weight") == "up_proj"
    assert short_name("arith.constant12") == "constant*"


def test_layer_10_comes_after_layer_9() -> None:
    assert sorted(["layers.10.a", "layers.9.b", "layers.9.a"], key=natural) == [
        "layers.9.a",
        "layers.9.b",
        "layers.10.a",
    ]
