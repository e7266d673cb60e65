"""The machine decides on backend and dtype unless the recipe does."""

import pytest

from pipeline.tuning import devices as backend

SMALL, LARGE = 1_500_000, 270_000_000


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    def set_up(accelerator: str | None, flags: set[str] = frozenset(), jax_plugin: bool = False) -> None:  # type: ignore[assignment]
        monkeypatch.setattr(backend, "find_accelerator", lambda: accelerator)
        monkeypatch.setattr(backend, "cpu_flags", lambda: frozenset(flags))
        monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if jax_plugin else None)

    return set_up


@pytest.mark.parametrize(
    ("accelerator", "flags", "plugin", "parameters", "expected"),
    [
        (None, {"avx2"}, False, LARGE, ("torch", "float32")),
        (None, {"avx512_bf16"}, False, LARGE, ("torch", "bfloat16")),
        (None, {"avx512_bf16"}, False, SMALL, ("torch", "float32")),
        ("gpu", {"avx2"}, True, LARGE, ("jax", "bfloat16")),
        ("gpu", {"avx2"}, False, LARGE, ("torch", "bfloat16")),
        ("tpu", set(), False, LARGE, ("jax", "bfloat16")),
    ],
)
def test_auto_takes_what_the_machine_has(machine, accelerator, flags, plugin, parameters, expected) -> None:  # type: ignore[no-untyped-def]
    machine(accelerator, flags, plugin)
    compute = backend.choose_compute("auto", "auto", parameters)
    assert (compute.backend, compute.dtype) == expected


def test_the_recipe_has_the_last_word(machine) -> None:  # type: ignore[no-untyped-def]
    machine("gpu", {"avx512_bf16"}, True)
    compute = backend.choose_compute("torch", "float32", LARGE)
    assert (compute.backend, compute.dtype) == ("torch", "float32")


def test_hidden_gpus_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.delenv("TPU_NAME", raising=False)
    monkeypatch.delenv("COLAB_TPU_ADDR", raising=False)
    assert backend.find_accelerator() in (None, "tpu")


@pytest.mark.parametrize("place", ["cpu", "meta"])
def test_a_loaded_model_says_where_it_computes(place: str) -> None:
    import keras

    layer = keras.layers.Dense(2)
    layer.build((None, 3))
    if place != "cpu":  # what PyTorch offers without a GPU
        for variable in layer.variables:
            variable._value = variable.value.detach().to(place)
    assert backend.computes_on_accelerator(layer) == (place != "cpu")
