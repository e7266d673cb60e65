"""Promise: each kind of file is told by its content, whatever its name; other files and damaged ones give one clear line."""

import io
import json
import subprocess
import sys
import zipfile
from dataclasses import fields, is_dataclass
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from pipeline.errors import InputError
from pipeline.formats.litertlm import METADATA, MODEL, read_container, rewrite
from pipeline.formats.runtime_adapter import write_adapter_file
from pipeline.formats.task import METADATA_ENTRY, MODEL_ENTRY, TOKENIZER_ENTRY
from pipeline.inspect import facts
from pipeline.inspect.file import inspect_file
from pipeline.inspect.render import print_json, print_report
from pipeline.tuning.adapter import Adapter
from tests.support.litertlm import write_container
from tests.support.tflite import Constant, write_tflite
from tests.support.tokenizers import make_tokenizer

ROOT = Path(__file__).parents[2]
MATRIX = Constant(("m",), (6, 64), "INT8", bytes(384), 6)
# protobuf, field by field: stop_tokens (5), start_token (6), prompt_templates (17) with the user's prefix and suffix.
TASK_METADATA = b"\x2a\x05<eos>\x2a\x0d<end_of_turn>\x32\x05<bos>\x8a\x01\x08\x0a\x06\x12\x01>\x1a\x01<"


@pytest.fixture
def tflite(tmp_path: Path) -> Path:
    return write_tflite(tmp_path / "model.tflite", [MATRIX])


@pytest.fixture
def tokenizer(tmp_path: Path) -> bytes:
    (tmp_path / "tokenizer").mkdir()
    return make_tokenizer(tmp_path / "tokenizer").path.read_bytes()


@pytest.fixture
def bundle(tmp_path: Path, tflite: Path, tokenizer: bytes) -> Path:
    from litert_lm_builder.runtime.proto.llm_metadata_pb2 import LlmMetadata
    from litert_lm_builder.runtime.proto.sampler_params_pb2 import SamplerParameters

    metadata = LlmMetadata(max_num_tokens=77, jinja_prompt_template="{{ x }}")
    metadata.start_token.token_ids.ids.append(2)
    metadata.stop_tokens.add().token_str = "<end_of_turn>"
    metadata.stop_tokens.add().token_ids.ids.append(1)
    metadata.sampler_params.type = SamplerParameters.TOP_K
    metadata.sampler_params.k = 5
    metadata.prompt_templates.user.prefix = "U:"
    return write_container(
        tmp_path / "model.litertlm", tokenizer, tflite.read_bytes(), metadata.SerializeToString()
    )


def write_task(path: Path, model: bytes, tokenizer: bytes, compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MODEL_ENTRY, model, compression)
        archive.writestr(TOKENIZER_ENTRY, tokenizer)
        archive.writestr(METADATA_ENTRY, TASK_METADATA)
    return path


def test_a_bundle_tells_what_was_put_in(bundle: Path, tflite: Path, tokenizer: bytes) -> None:
    found = inspect_file(bundle).document()
    assert (found["format"], found["kind"], found["name"]) == (1, "litertlm", "model.litertlm")
    assert found["bytes"] == bundle.stat().st_size
    assert [(each["kind"], each["bytes"]) for each in found["sections"]][1:] == [
        ("SP_Tokenizer", len(tokenizer)),
        ("TFLiteModel", tflite.stat().st_size),
    ]
    content = bundle.read_bytes()
    assert content[found["sections"][2]["begin"] : found["sections"][2]["end"]] == tflite.read_bytes()
    assert found["system"]["Authors"] == "the vendor"
    assert [each["text"] for each in found["start"]] == ["<bos>"]
    assert [(each["ids"], each["text"]) for each in found["stop"]] == [
        ((6,), "<end_of_turn>"),
        ((1,), "<eos>"),
    ]
    assert (found["chat_template"], found["max_tokens"]) == ("{{ x }}", 77)
    assert found["turns"] == {"user": {"prefix": "U:", "suffix": ""}}
    assert (found["sampler"]["type"], found["sampler"]["k"]) == ("TOP_K", 5)
    (model,) = found["models"]
    assert (model["name"], model["bytes"]) == ("prefill_decode", tflite.stat().st_size)
    assert [matrix["name"] for matrix in model["matrices"]] == ["m"]
    assert found["notes"] == ()


def test_a_bundle_of_anothers_making_is_told_as_far_as_it_goes(tmp_path: Path, tflite: Path) -> None:
    """Several models, one of them no .tflite, a tokenizer of Hugging Face's, no metadata, a kind that the schema lacks."""
    from litert_lm_builder import litertlm_builder as vendor

    (tmp_path / "tokenizer.json").write_text(
        json.dumps({"model": {"vocab": {"a": 0, "b": 1}}, "added_tokens": [{"id": 2, "content": "<end>"}]})
    )
    (tmp_path / "other.bin").write_bytes(b"nothing that one knows")
    builder = vendor.LitertLmFileBuilder()
    builder.add_system_metadata(vendor.Metadata(key="answer", value=42, dtype=vendor.DType.INT32))
    builder.add_hf_tokenizer(str(tmp_path / "tokenizer.json"))
    builder.add_tflite_model(str(tflite), vendor.TfLiteModelType.PREFILL_DECODE)
    builder.add_tflite_model(str(tflite), vendor.TfLiteModelType.EMBEDDER)
    builder.add_tflite_model(str(tmp_path / "other.bin"), vendor.TfLiteModelType.AUX)
    builder.add_generic_binary_data(str(tmp_path / "other.bin"))
    path = tmp_path / "other.litertlm"
    with path.open("wb") as file:
        builder.build(file)
    content = bytearray(path.read_bytes())
    found = inspect_file(path)
    assert [model.name for model in found.models] == ["prefill_decode", "embedder", "aux"]
    assert [len(model.matrices) for model in found.models] == [1, 1, 0]
    assert found.tokenizer is not None
    assert (found.tokenizer.kind, found.tokenizer.vocabulary) == ("Hugging Face", 3)
    assert found.system["answer"] == "42"
    assert any("aux is no plain .tflite" in note for note in found.notes)
    assert any("no LlmMetadata section" in note for note in found.notes)
    # The kind of the last section, a byte of the header's flatbuffer, becomes one that no schema has.
    end = int.from_bytes(content[24:32], "little")
    changed = 0
    for place in range(32, end):
        if content[place] != 1:
            continue
        content[place] = 99
        path.write_bytes(content)
        try:
            sections = inspect_file(path).sections
        except InputError:
            sections = ()
        if sections and sections[-1].kind == "kind 99":
            changed += 1
            assert any("kind 99" in note for note in inspect_file(path).notes)
            print_report(inspect_file(path))
        content[place] = 1
    assert changed == 1


def test_a_bundle_without_a_tokenizer_that_can_be_read(tmp_path: Path, tflite: Path) -> None:
    path = write_container(tmp_path / "model.litertlm", b"no tokenizer", tflite.read_bytes())
    found = inspect_file(path)
    assert found.tokenizer is not None and found.tokenizer.vocabulary is None
    assert "its tokenizer cannot be read" in found.notes


def test_a_task_tells_its_turns_and_stop_tokens(tmp_path: Path, tflite: Path, tokenizer: bytes) -> None:
    path = write_task(tmp_path / "model.task", tflite.read_bytes(), tokenizer)
    found = inspect_file(path)
    assert found.kind == "task"
    assert [(token.ids, token.text) for token in found.start] == [((2,), "<bos>")]
    assert [token.ids for token in found.stop] == [(1,), (6,)]
    assert (found.turns["user"].prefix, found.turns["user"].suffix) == (">", "<")
    assert [len(model.matrices) for model in found.models] == [1]
    section = found.sections[0]
    assert path.read_bytes()[section.begin : section.end] == tflite.read_bytes()
    packed = write_task(tmp_path / "packed.task", tflite.read_bytes(), tokenizer, zipfile.ZIP_DEFLATED)
    assert any("is compressed" in note for note in inspect_file(packed).notes)


def test_damage_anywhere_in_a_zip_gives_one_line(tmp_path: Path, tflite: Path, tokenizer: bytes) -> None:
    """Its lists of entries are at the end: names, sizes, versions, methods, marks of encryption."""
    content = write_task(tmp_path / "model.task", tflite.read_bytes(), tokenizer).read_bytes()
    path, refused = tmp_path / "damaged.task", 0
    for place in range(len(content) - 300, len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            inspect_file(path)
        except InputError as error:
            assert str(error).startswith(f"{path}")
            assert "\n" not in str(error)
            refused += 1
    assert refused > 50


def test_a_task_with_damaged_metadata_is_refused(tmp_path: Path, tflite: Path, tokenizer: bytes) -> None:
    path = tmp_path / "model.task"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MODEL_ENTRY, tflite.read_bytes())
        archive.writestr(TOKENIZER_ENTRY, tokenizer)
        archive.writestr(METADATA_ENTRY, TASK_METADATA[:-1])
    with pytest.raises(InputError, match=r"model\.task: its metadata is damaged"):
        inspect_file(path)


def write_runtime_adapter(path: Path) -> Path:
    factors = {
        (target, layer): (np.ones((8, 4), np.float32), np.ones((4, 12), np.float32))
        for layer in (0, 1)
        for target in ("query", "output")
    }
    write_adapter_file(path, factors, rank=16, base_digest="ab" * 32, name="Grüße")
    return path


def test_an_adapter_for_the_runtime_tells_its_base(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_runtime_adapter(tmp_path / "adapter.tflite")
    found = inspect_file(path)
    adapter = found.adapter
    assert adapter is not None
    assert (adapter.form, adapter.name, adapter.rank, adapter.base) == ("runtime", "Grüße", 16, "ab" * 32)
    assert (set(adapter.targets), adapter.matrices) == ({"query", "output"}, 4)
    assert adapter.parameters == 4 * (8 * 16 + 16 * 12)
    assert {tensor.shape for tensor in adapter.tensors} == {(8, 16), (16, 12)}
    print_report(found)
    assert "lora_atten_q_a_prime_weight_*" in capsys.readouterr().out


def test_a_damaged_or_truncated_adapter_is_refused(tmp_path: Path) -> None:
    content = write_runtime_adapter(tmp_path / "whole.tflite").read_bytes()
    path = tmp_path / "adapter.tflite"
    damaged = bytearray(content)
    damaged[content.index(np.ones(8, np.float32).tobytes())] ^= 1
    for bad, message in (
        (bytes(damaged), "damaged"),
        (content[:4096], "truncated"),
        (content[:300], "damaged"),
    ):
        path.write_bytes(bad)
        with pytest.raises(InputError, match=rf"adapter\.tflite.*{message}"):
            inspect_file(path)


def test_our_adapter_tells_its_rank_and_base(tmp_path: Path) -> None:
    pair = (np.zeros((8, 2), np.float32), np.zeros((2, 4), np.float32))
    names = [f"decoder_block_{layer}.{target}" for layer in (0, 1) for target in ("query", "value")]
    path = tmp_path / "adapter.safetensors"
    Adapter(2, 4.0, ("query", "value"), "ab" * 32, dict.fromkeys(names, pair)).save(path)
    adapter = inspect_file(path).adapter
    assert adapter is not None
    assert (adapter.form, adapter.rank, adapter.alpha, adapter.base) == ("pocketgemma", 2, 4.0, "ab" * 32)
    assert (adapter.targets, adapter.matrices, adapter.parameters) == (("query", "value"), 4, 4 * 24)


def test_a_peft_adapter_is_told_by_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "peft"
    folder.mkdir()
    config = {
        "r": 8,
        "lora_alpha": 16,
        "target_modules": ["v_proj", "q_proj"],
        "base_model_name_or_path": "google/gemma",
    }
    (folder / "adapter_config.json").write_text(json.dumps(config | {"use_dora": True}))
    save_file(
        {
            "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": np.zeros((8, 4), np.float16),
            "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight": np.zeros((4, 8), np.float16),
        },
        str(folder / "adapter_model.safetensors"),
    )
    found = inspect_file(folder)
    assert found.adapter is not None
    assert (found.adapter.form, found.adapter.rank, found.adapter.alpha) == ("peft", 8, 16)
    assert (found.adapter.targets, found.adapter.matrices) == (("q_proj", "v_proj"), 1)
    assert {tensor.dtype for tensor in found.adapter.tensors} == {"FLOAT16"}
    assert found.notes == ("use_dora is True: more than plain LoRA",)
    with pytest.raises(
        InputError,
        match="expected the adapter.safetensors of a finetune stage, or the folder of a PEFT adapter",
    ):
        inspect_file(folder / "adapter_model.safetensors")
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(InputError, match=r"adapter_model\.safetensors is missing"):
        inspect_file(folder)


def test_a_name_proves_nothing(tmp_path: Path, bundle: Path, tflite: Path, tokenizer: bytes) -> None:
    task = write_task(tmp_path / "model.task", tflite.read_bytes(), tokenizer)
    for source, kind in ((bundle, "litertlm"), (tflite, "tflite"), (task, "task")):
        renamed = source.rename(tmp_path / "something.bin")
        assert inspect_file(renamed).kind == kind


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "an empty file"),
        (b"# a text\n", "an unknown kind of file, it starts with"),
        (b"PK\x03\x04 no zip", "truncated or damaged: file is not a zip file"),
        (b"LITERTLM", "truncated inside its header"),
        (b"\x10\0\0\0\0\0\0\0{no json at all}  ", "damaged, or not a safetensors file"),
        (b"\x10\0\0\0\0\0\0\0{", "an unknown kind of file"),
        (b"\x1c\0\0\0TFL3", "damaged"),
    ],
)
def test_what_is_no_file_of_ours_gives_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        inspect_file(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_places_without_a_file_give_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        inspect_file(tmp_path / "nothing")
    with pytest.raises(InputError, match=r"a folder without adapter_config\.json"):
        inspect_file(tmp_path)
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("a.txt", "a")
    with pytest.raises(InputError, match=r"neither a \.task nor an \.apk: it holds 'a\.txt'"):
        inspect_file(tmp_path / "other.zip")


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_bundle_is_refused(bundle: Path, share: float) -> None:
    content = bundle.read_bytes()
    bundle.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match="truncated"):
        inspect_file(bundle)


def test_damage_inside_a_section_is_refused(bundle: Path, tmp_path: Path) -> None:
    for kind, content, message in (
        (METADATA, b"\xff\xff\xff", "metadata section is damaged"),
        (MODEL, b"\xff\xff\xff\x7fTFL3" + bytes(100), "its prefill_decode: a damaged"),
    ):
        rewrite(read_container(bundle), tmp_path / "copy.litertlm", replace={kind: content})
        with pytest.raises(InputError, match=message):
            inspect_file(tmp_path / "copy.litertlm")


def test_the_text_fits_a_hundred_columns_and_needs_no_colour(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for everything in (False, True):
        print_report(inspect_file(bundle), everything=everything)
        printed = capsys.readouterr().out
        assert "\x1b" not in printed
        assert max(len(line) for line in printed.splitlines()) <= 100
        for word in (
            "6 <end_of_turn>, 1 <eos>",
            "TOP_K, k 5",
            "SP_Tokenizer",
            "one per output row",
            "77 tokens",
        ):
            assert word in printed
    assert "{{ x }}" in printed


def test_every_key_of_the_json_is_documented() -> None:
    text = (ROOT / "docs" / "litert.md").read_text(encoding="utf-8").partition("## Inspecting a file")[2]
    kinds = [kind for kind in vars(facts).values() if is_dataclass(kind)]
    names = {each.name for kind in kinds for each in fields(kind)}
    assert {name for name in names if f"`{name}" not in text} == set()


def test_the_converters_packages_are_not_needed(
    bundle: Path, tmp_path: Path, tflite: Path, tokenizer: bytes
) -> None:
    """The light set of packages, which grafts, looks into files too."""
    task = write_task(tmp_path / "model.task", tflite.read_bytes(), tokenizer)
    adapter = write_runtime_adapter(tmp_path / "adapter.tflite")
    absent = [
        "ai_edge_litert",
        "litert_lm",
        "litert_lm_builder",
        "flatbuffers",
        "google.protobuf",
        "sentencepiece",
    ]
    absent += ["torch", "tensorflow", "keras", "jax", "transformers", "mediapipe", "litert_torch"]
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({absent!r}))\n"
        "from pathlib import Path; from pipeline.inspect.file import inspect_file\n"
        "from pipeline.inspect.render import print_report\n"
        "for name in sys.argv[1:]: print_report(inspect_file(Path(name)))"
    )
    files = [str(path) for path in (bundle, task, tflite, adapter)]
    result = subprocess.run(
        [sys.executable, "-c", program, *files], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("sha256") == len(files)
    assert "6 <end_of_turn>" in result.stdout


def test_what_a_file_says_cannot_paint_the_terminal(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    system = {"description": "\x1b[31mred\x07", "[bold]key": "[/] value"}
    rewrite(read_container(bundle), tmp_path / "copy.litertlm", system=system)
    print_report(inspect_file(tmp_path / "copy.litertlm"))
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "\x07" not in printed
    for word in (r"\x1b[31mred\x07", "[bold]key", "[/] value"):
        assert word in printed


def test_the_json_is_the_report(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = inspect_file(bundle)
    print_json(report)
    assert json.load(io.StringIO(capsys.readouterr().out)) == json.loads(json.dumps(report.document()))
