import json
import os
from pathlib import Path

import numpy as np
import pytest
from sentencepiece import SentencePieceProcessor

from pipeline.errors import InputError, PocketGemmaError
from pipeline.families.names import hugging_face_name
from pipeline.gemma.presets import check_preset
from pipeline.recipe.reading import load_config
from pipeline.run.folder import Run
from pipeline.stages import download
from tests.stages.downloads import HUGGING_FACE, KAGGLE, config, refused
from tests.support.gguf_files import random_weights, write_gguf
from tests.support.hubs import COMMIT, TOKEN, Hub
from tests.support.presets import SHAPE, write_keras_preset, write_transformers_folder
from tests.support.tokenizers import tokenizer_bytes

pytestmark = pytest.mark.usefixtures("isolated")


def test_of_a_multimodal_preset_the_text_decoder_is_taken_and_checked(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import h5py

    folder = write_keras_preset(tmp_path / "mine")
    document = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    document["config"]["vision_encoder"] = {"class_name": "Gemma3VisionEncoder"}
    (folder / "config.json").write_text(json.dumps(document), encoding="utf-8")
    weights = folder / "model.weights.h5"
    with h5py.File(weights, "a") as file:
        file["layers/gemma3_vision_encoder/vars/0"] = np.ones(3, np.float32)
        file["layers/gemma3_vision_encoder/vars/1"] = np.ones(3, np.float32)
    download.run(config(str(folder)), run)
    assert "only the text decoder is used; 2 tensors for images or audio" in capsys.readouterr().out
    assert check_preset(run.folder("download") / "preset") == SHAPE
    with h5py.File(weights, "a") as file:
        file["layers/token_embedding/vars/0"][7] = np.nan
    with pytest.raises(InputError, match="token_embedding/vars/0 contains NaN"):
        download.run(config(str(folder)), run)


def test_a_local_folder_is_published_without_unrelated_files(run: Run, tmp_path: Path) -> None:
    folder = write_keras_preset(tmp_path / "mine")
    download.run(config(str(folder)), run)
    published = run.folder("download") / "preset"
    assert check_preset(published) == SHAPE
    assert not (published / "notes.txt").exists()
    assert (published / "assets/tokenizer/vocabulary.spm").read_bytes() == (
        folder / "assets/tokenizer/vocabulary.spm"
    ).read_bytes()
    details = run.manifest("download").details
    assert (details["preset"], details["family"], details["parameters"]) == (
        "mine",
        "gemma3",
        SHAPE.parameters,
    )


def test_weights_are_linked_not_copied(run: Run, tmp_path: Path) -> None:
    folder = write_keras_preset(tmp_path / "mine")
    download.run(config(str(folder)), run)
    assert (run.folder("download") / "preset/model.weights.h5").samefile(folder / "model.weights.h5")


def test_without_links_files_are_copied(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise OSError("another file system")

    monkeypatch.setattr(os, "link", refuse)
    folder = write_keras_preset(tmp_path / "mine")
    download.run(config(str(folder)), run)
    published = run.folder("download") / "preset/model.weights.h5"
    assert not published.samefile(folder / "model.weights.h5")
    assert published.read_bytes() == (folder / "model.weights.h5").read_bytes()


def test_an_unchanged_folder_is_up_to_date_and_a_changed_one_is_not(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_keras_preset(tmp_path / "mine")
    download.run(config(str(folder)), run)
    first = run.manifest("download").digest
    capsys.readouterr()
    download.run(config(str(folder)), run)
    assert "up to date" in capsys.readouterr().out
    document = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").write_text(json.dumps(document | {"new": True}))
    download.run(config(str(folder)), run)
    assert run.manifest("download").digest != first


def test_a_folder_that_moved_is_still_up_to_date(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_keras_preset(tmp_path / "mine")
    download.run(config(str(folder)), run)
    folder.rename(tmp_path / "elsewhere")
    capsys.readouterr()
    download.run(config(str(tmp_path / "elsewhere")), run)
    assert "up to date" in capsys.readouterr().out


def test_the_message_for_a_missing_folder_suggests_addresses(run: Run, tmp_path: Path) -> None:
    assert "set model.preset to demo, an existing folder" in refused(str(tmp_path / "nothing"), run)
    assert "did you mean the KerasHub preset gemma3_270m?" in refused(str(tmp_path / "gemma_3_270m"), run)


def test_a_broken_preset_is_not_published(run: Run, tmp_path: Path) -> None:
    folder = write_transformers_folder(tmp_path / "mine")
    (folder / "model.safetensors").unlink()
    assert "only available as pickles" in refused(str(folder), run)


def test_a_faulty_file_is_named_where_it_is_and_not_in_the_run_folder(run: Run, tmp_path: Path) -> None:
    folder = write_transformers_folder(tmp_path / "mine")
    (folder / "tokenizer.model").write_bytes(b"no model")
    said = refused(str(folder), run)
    assert said.startswith(f"{folder / 'tokenizer.model'}: damaged, or not a SentencePiece model")
    assert ".working" not in said


def test_a_file_that_was_made_is_named_after_what_it_was_made_from(run: Run, tmp_path: Path) -> None:
    pieces = SentencePieceProcessor(model_proto=tokenizer_bytes())
    tokens = [pieces.id_to_piece(place) for place in range(len(pieces))]
    renamed = ["<other>" if token == "<end_of_turn>" else token for token in tokens]
    path = write_gguf(tmp_path / "tiny.gguf", tokenizer={"tokens": renamed})
    assert refused(str(path), run).startswith(f"{path}: tokenizer.model: lacks <end_of_turn>: ")


def test_a_faulty_file_of_a_hub_is_named_by_its_address(
    run: Run, hugging_face: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(preset: Path) -> None:
        raise InputError(f"{preset / 'tokenizer.model'}: lacks <bos>; {preset}: incomplete")

    monkeypatch.setattr(download, "check_preset", faulty)
    said = refused(HUGGING_FACE, run)
    assert said == f"{HUGGING_FACE}: tokenizer.model: lacks <bos>; {HUGGING_FACE}: incomplete"


@pytest.mark.parametrize(
    "address",
    [
        "s3://bucket/gemma",
        "kaggle://keras/gemma3",
        "kaggle://keras/gemma3/keras/x/latest",
        "kaggle://a//keras/x",
        "hf://gemma",
        "hf://a/b/c",
        "hf:///x",
    ],
)
def test_malformed_addresses_are_refused_without_a_request(address: str, run: Run) -> None:
    assert address in refused(address, run)


def test_formats_on_kaggle_that_are_not_presets_are_refused(run: Run) -> None:
    assert "framework 'gemmaCpp' does not provide presets; expected one of keras, transformers" in refused(
        "kaggle://google/gemma3/gemmaCpp/270m", run
    )


def test_the_newest_version_on_kaggle_is_downloaded_and_recorded(run: Run, kaggle: Hub) -> None:
    download.run(config(KAGGLE), run)
    assert check_preset(run.folder("download") / "preset") == SHAPE
    details = run.manifest("download").details
    assert (details["preset"], details["version"]) == (KAGGLE, "3")


def test_everything_but_pickles_is_downloaded_from_hugging_face_and_the_commit_is_recorded(
    run: Run, hugging_face: Hub
) -> None:
    download.run(config(HUGGING_FACE), run)
    published = run.folder("download") / "preset"
    assert check_preset(published) == SHAPE
    assert not any(path.is_symlink() for path in published.rglob("*"))
    assert not any("pytorch_model.bin" in request for request in hugging_face.requests)
    assert run.manifest("download").details["version"] == COMMIT


@pytest.mark.parametrize("hub", ["kaggle", "hugging_face"])
def test_after_the_download_no_network_is_needed(
    hub: str, run: Run, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    server: Hub = request.getfixturevalue(hub)
    address = KAGGLE if hub == "kaggle" else HUGGING_FACE
    download.run(config(address), run)
    before = len(server.requests)
    capsys.readouterr()
    download.run(config(address), run)
    assert "up to date" in capsys.readouterr().out
    assert len(server.requests) == before


def test_kaggle_without_permission_names_the_license_page_and_the_token(
    run: Run, kaggle: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    kaggle.gated = True
    message = refused(KAGGLE, run)
    for part in (
        "https://www.kaggle.com/models/keras/gemma3",
        "license",
        "~/.kaggle/kaggle.json",
        "KAGGLE_USERNAME",
        "KAGGLE_KEY",
    ):
        assert part in message
    monkeypatch.setenv("KAGGLE_USERNAME", "someone")
    monkeypatch.setenv("KAGGLE_KEY", TOKEN)
    download.run(config(KAGGLE), run)
    assert check_preset(run.folder("download") / "preset") == SHAPE


def test_hugging_face_without_permission_names_the_license_page_and_the_token(
    run: Run, hugging_face: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hugging_face.gated = True
    message = refused(HUGGING_FACE, run)
    for part in ("https://huggingface.co/google/gemma-3-270m-it", "license", "HF_TOKEN"):
        assert part in message
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    download.run(config(HUGGING_FACE), run)
    assert check_preset(run.folder("download") / "preset") == SHAPE


def test_no_message_and_no_file_contains_the_token(
    run: Run, hugging_face: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_TOKEN", "a-wrong-token")
    hugging_face.gated = True
    assert "a-wrong-token" not in refused(HUGGING_FACE, run)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(b"a-wrong-token" in path.read_bytes() for path in files)


def test_models_that_do_not_exist_are_refused(run: Run, kaggle: Hub, hugging_face: Hub) -> None:
    assert "no such model or version on Kaggle" in refused("kaggle://keras/gemma9/keras/gemma9_1b", run)
    assert "no such model" in refused("hf://google/gemma-9", run)
    assert "no revision v9" in refused(f"{HUGGING_FACE}@v9", run)


@pytest.mark.slow
@pytest.mark.parametrize("failure", [500, 503, 429, "cut", "damaged"])
def test_a_temporary_failure_at_kaggle_is_retried(failure: int | str, run: Run, kaggle: Hub) -> None:
    kaggle.failures["/kaggle-files/model.weights.h5"] = [failure]
    download.run(config(KAGGLE), run)
    assert check_preset(run.folder("download") / "preset") == SHAPE


@pytest.mark.parametrize("place", ["/api/models", "/resolve/"])
@pytest.mark.parametrize("failure", [500, 503])
def test_a_temporary_failure_at_hugging_face_is_retried(
    failure: int, place: str, run: Run, hugging_face: Hub
) -> None:
    hugging_face.failures[place] = [failure] * 2  # the first one when the size is asked for
    download.run(config(HUGGING_FACE), run)
    assert check_preset(run.folder("download") / "preset") == SHAPE


def test_an_interrupted_download_from_hugging_face_continues(run: Run, hugging_face: Hub) -> None:
    hugging_face.failures["model.safetensors"] = ["cut", "cut"]
    download.run(config(HUGGING_FACE), run)
    assert (
        sum(request.startswith("GET") and "model.safetensors" in request for request in hugging_face.requests)
        > 1
    )
    assert check_preset(run.folder("download") / "preset") == SHAPE


@pytest.mark.slow
def test_a_download_fails_after_four_failed_attempts(run: Run, kaggle: Hub) -> None:
    kaggle.failures["/v1/"] = [500] * 100
    with pytest.raises(PocketGemmaError, match="download failed after 4 attempts") as caught:
        download.run(config(KAGGLE), run)
    assert caught.value.exit_code == 1
    assert not run.folder("download").exists()


@pytest.mark.slow
def test_a_damaged_download_from_kaggle_is_tried_again_and_then_fails(run: Run, kaggle: Hub) -> None:
    kaggle.failures["model.weights.h5"] = ["cut"] * 100
    with pytest.raises(PocketGemmaError, match="download failed"):
        download.run(config(KAGGLE), run)
    assert not run.folder("download").exists()
    kaggle.failures.clear()
    download.run(config(KAGGLE), run)
    assert check_preset(run.folder("download") / "preset") == SHAPE


def test_the_message_without_a_network_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(PocketGemmaError, match="check the network"):
        download.run(config(HUGGING_FACE), run)


def test_a_relative_preset_starts_at_the_folder_of_the_recipe(run: Run, tmp_path: Path) -> None:
    write_keras_preset(tmp_path / "recipes/mine")
    recipe = tmp_path / "recipes/test.yaml"
    recipe.write_text("name: test\nmodel: {preset: mine}\ndata: {train: train.jsonl}\n")
    download.run(load_config(recipe), run)
    assert run.manifest("download").details["preset"] == "mine"


def test_a_gguf_file_becomes_a_preset(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wide = hugging_face_name("decoder_block_1.down")
    path = write_gguf(tmp_path / "tiny.gguf", stored_as=lambda name: "Q8_0" if name == wide else "F16")
    download.run(config(str(path)), run)
    assert check_preset(run.folder("download") / "preset") == SHAPE
    details = run.manifest("download").details
    assert details["preset"] == "tiny.gguf"
    assert details["gguf"]["tensors"] == {"F16": 14, "F32": 13, "Q8_0": 1}
    output = capsys.readouterr().out
    assert "tiny.gguf: the base was quantized (14 F16, 13 F32, 1 Q8_0 tensors)" in output
    assert "unquantized base from Kaggle or Hugging Face is more accurate" in output


def test_a_changed_shard_makes_the_download_out_of_date(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = write_gguf(tmp_path / "tiny.gguf", random_weights(), shards=2)
    download.run(config(str(first)), run)
    capsys.readouterr()
    download.run(config(str(first)), run)
    assert "up to date" in capsys.readouterr().out
    write_gguf(tmp_path / "tiny.gguf", random_weights(seed=1), shards=2)
    download.run(config(str(first)), run)
    assert "rerun" in capsys.readouterr().out


def test_another_file_than_a_gguf_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"weights")
    with pytest.raises(InputError, match=r"model\.bin: a file, but not a GGUF"):
        download.run(config(str(tmp_path / "model.bin")), run)
