"""Promise: base and adapter answer as the merged model does, adapters are swapped in one open engine, and no
adapter means the base."""

import random
import shutil
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from pipeline.commands.chat.command import Options, chat_with
from pipeline.data.examples import Example
from pipeline.errors import InputError
from pipeline.evaluation.in_runtime import answer_all
from pipeline.families.chat import Message
from pipeline.families.names import runtime_name
from pipeline.families.turns import CHAT
from pipeline.formats.litertlm import MODEL, read_container
from pipeline.formats.tflite import read_tflite
from pipeline.gemma.tokenizer import Tokenizer
from pipeline.litert.convert.export import export_litertlm
from pipeline.litert.model_check import model_differences
from pipeline.litert.runtime.conversation import Conversation
from pipeline.litert.runtime.engine import Runtime
from pipeline.litert.runtime.sampling import GREEDY
from pipeline.litert.runtime_adapters import lora_base, write_adapter, write_for_base
from pipeline.tuning.adapter import Adapter
from tests.support.lora import BASE_DIGEST, LORA, adapter_for, converted_base, merged_folder, write_peft
from tests.support.tiny_gemma import ANSWERS, SPEC, Reference, converted

pytestmark = pytest.mark.slow
QUESTIONS = [*ANSWERS, "And what of silver?", "What is the symbol of gold? " * 4]
TARGET = CHAT.render_answer("Jupiter is largest.\nIt is Au.")
LORA_INT8 = replace(LORA, recipe="int8", lora_rank=32, prefill_lengths=(32,))


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return converted_base(tmp_path_factory)


@pytest.fixture(scope="session")
def base_int8(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return converted_base(tmp_path_factory, LORA_INT8)


@pytest.fixture(scope="session")
def adapters(folder: Path) -> dict[str, Adapter]:
    """Two random adapters that change the answers; one does not touch every matrix."""
    return {
        "poet": adapter_for(folder, 2, seed=1),
        "clerk": adapter_for(folder, 8, seed=2, targets=("query", "value")),
    }


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory, adapters: dict[str, Adapter]) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("adapters")
    for name, adapter in adapters.items():
        write_adapter(adapter, place / f"{name}.tflite", rank=16)
    return {name: place / f"{name}.tflite" for name in adapters}


@pytest.fixture(scope="session")
def merged(
    tmp_path_factory: pytest.TempPathFactory, folder: Path, adapters: dict[str, Adapter]
) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("merged")
    return {name: merged_folder(folder, adapter, place / name) for name, adapter in adapters.items()}


@pytest.fixture(scope="module")
def runtime(base: Path) -> Iterator[Runtime]:
    with Runtime(base) as runtime:
        yield runtime


def user(text: str) -> list[Message]:
    return [{"role": "user", "content": text}]


def replies(runtime: Runtime, adapter: Path | None = None) -> list[str]:
    return [runtime.answer(user(question), max_new_tokens=24, adapter=adapter).text for question in QUESTIONS]


def scores(runtime: Runtime, adapter: Path | None = None) -> list[float]:
    return [
        score
        for question in QUESTIONS
        for score in runtime.logprobs(CHAT.render_question(question), TARGET, adapter=adapter)
    ]


def test_the_base_declares_the_adapters_that_it_takes(base: Path, base_int8: Path, folder: Path) -> None:
    for path, spec in ((base, LORA), (base_int8, LORA_INT8)):
        assert model_differences(path, Tokenizer.of_preset(folder), spec, folder) == []
        found = lora_base(path)
        assert found is not None
        assert (found.rank, found.base_digest) == (spec.lora_rank, BASE_DIGEST)
        assert len(found.shapes) == 2 * 4 * 2  # layers, matrices, A and B
        assert found.shapes[runtime_name("query", "b", 1)] == (spec.lora_rank, 64)
        # The runtime gives the same tensors to both kinds of signature; in any recipe they are floats.
        tflite = read_tflite(read_container(path).read(MODEL), str(path))
        for inputs in map(tflite.inputs, tflite.signatures):
            for name, shape in found.shapes.items():
                assert (inputs[name].shape, inputs[name].dtype) == (shape, "FLOAT32")


@pytest.mark.parametrize("name", ["poet", "clerk"])
def test_log_probabilities_are_the_merged_models(
    runtime: Runtime, files: dict[str, Path], merged: dict[str, Path], name: str
) -> None:
    reference = Reference(merged[name])
    expected = [
        score
        for question in QUESTIONS
        for score in reference.logprobs(CHAT.render_question(question), TARGET)
    ]
    found = scores(runtime, files[name])
    assert found == pytest.approx(expected, abs=1e-3)
    plain = scores(runtime)
    assert max(abs(left - right) for left, right in zip(found, plain, strict=True)) > 1  # it does something


def test_a_converted_merged_model_answers_the_same(
    tmp_path: Path, runtime: Runtime, files: dict[str, Path], merged: dict[str, Path]
) -> None:
    path = tmp_path / "merged.litertlm"
    export_litertlm(merged["poet"], path, SPEC, tmp_path / "convert.log")
    with Runtime(path) as other:
        assert replies(runtime, files["poet"]) == replies(other)
        assert scores(runtime, files["poet"]) == pytest.approx(scores(other), abs=1e-3)


def test_no_adapter_gives_the_base_to_the_last_bit(
    runtime: Runtime, files: dict[str, Path], model: Path
) -> None:
    with Runtime(model) as plain:
        expected = replies(plain), scores(plain)
    for adapter in (None, files["poet"], None, files["clerk"], None):
        found = replies(runtime, adapter), scores(runtime, adapter)
        assert (found == expected) == (adapter is None)


def test_a_hundred_swaps_in_one_engine(runtime: Runtime, files: dict[str, Path]) -> None:
    choices: list[Path | None] = [None, *files.values()]
    expected = {choice: replies(runtime, choice) for choice in choices}
    assert len({tuple(texts) for texts in expected.values()}) == len(choices)
    order = random.Random(0)
    last: Path | None = None
    for _ in range(100):
        last = order.choice([choice for choice in choices if choice != last])
        place = order.randrange(len(QUESTIONS))
        reply = runtime.answer(user(QUESTIONS[place]), max_new_tokens=24, adapter=last)
        assert reply.text == expected[last][place]


def test_conversations_with_different_adapters_do_not_disturb_each_other(
    runtime: Runtime, files: dict[str, Path]
) -> None:
    expected = {
        name: runtime.answer(user(QUESTIONS[3]), max_new_tokens=12, adapter=files[name]).text
        for name in files
    }
    with (
        runtime.chat(greedy=True, max_new_tokens=12, adapter=files["poet"]) as first,
        runtime.chat(greedy=True, max_new_tokens=12, adapter=files["clerk"]) as second,
    ):
        for chat, name in ((second, "clerk"), (first, "poet")):
            assert "".join(chat.stream(QUESTIONS[3])).strip() == expected[name]


def test_an_int8_base_takes_adapters(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    base_int8: Path,
    adapters: dict[str, Adapter],
    merged: dict[str, Path],
) -> None:
    plain = converted(tmp_path_factory, replace(SPEC, recipe="int8", prefill_lengths=(32,)))
    write_adapter(adapters["poet"], tmp_path / "poet.tflite", rank=32)
    with Runtime(base_int8) as runtime, Runtime(plain) as other:
        assert (replies(runtime), scores(runtime)) == (replies(other), scores(other))
        found = scores(runtime, tmp_path / "poet.tflite")
    reference = Reference(merged["poet"])
    expected = [
        score
        for question in QUESTIONS
        for score in reference.logprobs(CHAT.render_question(question), TARGET)
    ]
    # What int8 takes from the plain base, per token in nats, is at most 0.05 (test_export); an adapter may
    # take as much again.
    assert abs(sum(found) - sum(expected)) / len(expected) < 0.1


def test_a_peft_adapter_gives_the_same_log_probabilities(
    tmp_path: Path, runtime: Runtime, base: Path, adapters: dict[str, Adapter], files: dict[str, Path]
) -> None:
    folder = write_peft(tmp_path / "peft", adapters["poet"])
    found = write_for_base(folder, base, tmp_path / "from_peft.tflite")
    assert found.rank == 16
    assert scores(runtime, found.path) == pytest.approx(scores(runtime, files["poet"]), abs=1e-5)


def test_an_adapter_is_written_for_its_own_base_only(
    tmp_path: Path,
    folder: Path,
    base: Path,
    model: Path,
    adapters: dict[str, Adapter],
    files: dict[str, Path],
) -> None:
    adapters["poet"].save(tmp_path / "adapter.safetensors")
    found = write_for_base(tmp_path / "adapter.safetensors", base, tmp_path / "poet.tflite")
    assert found.path.read_bytes() == files["poet"].read_bytes()
    replace(adapters["poet"], base_digest="0" * 64).save(tmp_path / "other.safetensors")
    with pytest.raises(InputError, match=r"other\.safetensors: belongs to another base"):
        write_for_base(tmp_path / "other.safetensors", base, tmp_path / "other.tflite")
    with pytest.raises(InputError, match="does not accept adapters"):
        write_for_base(tmp_path / "adapter.safetensors", model, tmp_path / "other.tflite")
    adapter_for(folder, 9).save(tmp_path / "large.safetensors")
    with pytest.raises(InputError, match="needs rank 18, .* accepts rank 16"):
        write_for_base(tmp_path / "large.safetensors", base, tmp_path / "other.tflite")
    assert not (tmp_path / "other.tflite").exists()


def test_an_adapter_that_does_not_fit_is_refused_before_the_runtime_opens_it(
    tmp_path: Path, runtime: Runtime, model: Path, adapters: dict[str, Adapter], files: dict[str, Path]
) -> None:
    whole = files["poet"].read_bytes()
    broken = tmp_path / "broken.tflite"
    wrong = {
        "truncated": (whole[: len(whole) // 2 + 100], "truncated"),
        "damaged": (whole[:30000] + b"\x55" * 8 + whole[30008:], "damaged"),
        "no adapter": (b"not an adapter", "not a .tflite file"),
    }
    for content, said in wrong.values():
        broken.write_bytes(content)
        with pytest.raises(InputError, match=said):
            runtime.chat(adapter=broken)
    write_adapter(adapters["poet"], tmp_path / "rank.tflite", rank=32)
    with pytest.raises(InputError, match="has rank 32, .* accepts rank 16"):
        runtime.answer(user("Hello"), max_new_tokens=4, adapter=tmp_path / "rank.tflite")
    write_adapter(replace(adapters["poet"], base_digest="0" * 64), tmp_path / "base.tflite", rank=16)
    with pytest.raises(InputError, match="belongs to another base"):
        runtime.logprobs(CHAT.render_question("Hello"), TARGET, adapter=tmp_path / "base.tflite")
    with Runtime(model) as plain, pytest.raises(InputError, match="does not accept adapters"):
        plain.chat(adapter=files["poet"])


def test_a_changed_adapter_file_is_read_again(
    tmp_path: Path, runtime: Runtime, files: dict[str, Path]
) -> None:
    expected = {name: replies(runtime, path) for name, path in files.items()}
    place = tmp_path / "adapter.tflite"
    for name in ("poet", "clerk", "poet"):
        shutil.copyfile(files[name], place)
        assert replies(runtime, place) == expected[name]


def test_questions_of_a_file_are_asked_with_an_adapter(
    base: Path, files: dict[str, Path], runtime: Runtime
) -> None:
    answer_turn: Message = {"role": "assistant", "content": "It is Au."}
    example = Example((*user(QUESTIONS[0]), answer_turn))
    with Runtime(base) as other:
        (answer,) = answer_all(other, [example], max_new_tokens=24, adapter=files["poet"])
        (plain,) = answer_all(other, [example], max_new_tokens=24)
    assert answer.text == runtime.answer(user(QUESTIONS[0]), max_new_tokens=24, adapter=files["poet"]).text
    assert plain.text == "It is Au."


def test_a_conversation_continues_with_another_adapter(runtime: Runtime, files: dict[str, Path]) -> None:
    first, second = QUESTIONS[:2]
    with Conversation(runtime, files, sampling=GREEDY) as conversation:
        assert conversation.active == "poet"
        said = "".join(conversation.ask(first))
        conversation.use("clerk")
        found = "".join(conversation.ask(second))
        conversation.begin()
        conversation.use("none")
        assert "".join(conversation.ask(first)) == ANSWERS[first]
    history = [*user(first), {"role": "assistant", "content": said}, *user(second)]
    assert found.strip() == runtime.answer(history, max_new_tokens=100, adapter=files["clerk"]).text  # type: ignore[arg-type]


def test_the_chat_command_lists_and_switches_adapters(
    base: Path,
    files: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = ("/adapter", "/adapter prose", "/adapter none", QUESTIONS[0], "/new", "/adapter clerk", "/exit")
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO("\n".join(lines).encode())))
    assert chat_with(base, adapters=list(files.values()), options=Options(temperature=0)) == 2
    printed = capsys.readouterr()
    assert printed.out.strip() == ANSWERS[QUESTIONS[0]]
    notes = " ".join(printed.err.split())
    assert notes.startswith("* poet clerk none error: standard input line 2: prose: no such adapter")
    assert notes.endswith("Using none. Started a new conversation. Using clerk.")


def test_two_adapters_of_one_name_are_refused(tmp_path: Path, base: Path, files: dict[str, Path]) -> None:
    twin = Path(shutil.copy(files["clerk"], tmp_path / "poet.tflite"))
    with pytest.raises(InputError, match="has the same name as"):
        chat_with(base, "Hello", [files["poet"], twin])
    none = Path(shutil.copy(files["clerk"], tmp_path / "none.tflite"))
    with pytest.raises(InputError, match="the name none is reserved for the base"):
        chat_with(base, "Hello", [none])
