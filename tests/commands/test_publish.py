"""Promise: a hub gets the files of a run with model card and notice, privately, and a refusal is one line."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.commands.publish.command import check_address, publish
from pipeline.commands.publish.contents import Content, collect
from pipeline.errors import InputError, PocketGemmaError
from pipeline.families.terms import GEMMA_TERMS
from pipeline.recipe.schema import Config
from pipeline.run.folder import Run
from tests.support.hubs import TOKEN
from tests.support.reported_run import make_run, recipe
from tests.support.upload_hubs import MODEL, REPOSITORY, UploadHub, serve_uploads

pytestmark = pytest.mark.usefixtures("isolated")

HUGGING_FACE, KAGGLE = f"hf://{REPOSITORY}", f"kaggle://{MODEL}"
ADDRESSES = {"hugging_face": HUGGING_FACE, "kaggle": KAGGLE}
PEFT = ["peft/adapter_config.json", "peft/adapter_model.safetensors"]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[UploadHub]:
    from huggingface_hub import _commit_api
    from kagglesdk import kaggle_env

    with serve_uploads(UploadHub()) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, hub.url)
        monkeypatch.setattr(_commit_api, "is_xet_available", lambda: False)  # a protocol of its own
        yield hub


@pytest.fixture
def token(isolated: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("KAGGLE_USERNAME", "someone")
    monkeypatch.setenv("KAGGLE_KEY", TOKEN)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return recipe(tmp_path)


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize("name", ADDRESSES)
def test_the_adapter(
    name: str, hub: UploadHub, config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path, "merge")
    publish(config, run, "adapter", ADDRESSES[name], public=False)
    assert sorted(hub.files) == ["NOTICE", "README.md", "adapter.safetensors", *PEFT]
    assert hub.files["adapter.safetensors"] == (run / "finetune" / "adapter.safetensors").read_bytes()
    assert hub.files["README.md"] == (run / "model-card.md").read_bytes()
    assert hub.files["README.md"].startswith(b"---\n")
    printed = capsys.readouterr().out
    assert "for its owner only" in printed and f"published: {hub.url}"[:12] in printed
    assert TOKEN not in printed
    assert (hub.private, hub.license_name) == ((True, "") if name == "hugging_face" else (None, "Apache 2.0"))
    assert not [path for path in run.iterdir() if path.name.startswith(".publish")]


@pytest.mark.usefixtures("token")
def test_everybody_may_see_it_if_asked(hub: UploadHub, config: Config, tmp_path: Path) -> None:
    publish(config, make_run(tmp_path, "merge"), "adapter", HUGGING_FACE, public=True)
    assert hub.private is False


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize("public", [False, True])
def test_a_repository_that_others_see_differently(
    public: bool, hub: UploadHub, config: Config, tmp_path: Path
) -> None:
    run = make_run(tmp_path, "merge")
    publish(config, run, "adapter", HUGGING_FACE, public=public)
    hub.files.clear()
    hub.exists = True
    with pytest.raises(InputError, match="publish with --public" if public else "remove --public") as caught:
        publish(config, run, "adapter", HUGGING_FACE, public=not public)
    assert "exists already" in str(caught.value)
    assert hub.files == {}


@pytest.mark.usefixtures("isolated")
def test_damaged_credentials(hub: UploadHub, config: Config, tmp_path: Path) -> None:
    folder = tmp_path / "home" / ".kaggle"
    folder.mkdir(parents=True)
    (folder / "kaggle.json").write_text("{")
    with pytest.raises(InputError, match="save a new token"):
        publish(config, make_run(tmp_path, "merge"), "adapter", KAGGLE, public=False)


@pytest.mark.usefixtures("token")
def test_a_second_upload_to_kaggle_is_a_version(hub: UploadHub, config: Config, tmp_path: Path) -> None:
    run = make_run(tmp_path, "merge")
    for count in (1, 2):
        publish(config, run, "adapter", KAGGLE, public=False)
        assert hub.versions == count


def test_the_converted_model_and_the_terms_of_gemma(config: Config, tmp_path: Path) -> None:
    with Run(make_run(tmp_path)) as run:
        folder = tmp_path / "folder"
        folder.mkdir()
        collect("litertlm", run, GEMMA_TERMS, folder)
        model = folder / "model.litertlm"
        assert model.samefile(run.files.convert.model)  # not a copy
    assert {"model.litertlm", "NOTICE", "README.md"} <= {path.name for path in folder.iterdir()}
    notice = (folder / "NOTICE").read_text(encoding="utf-8")
    assert "were modified" in notice and GEMMA_TERMS.notice in notice


@pytest.mark.parametrize(("content", "framework"), [("merged", "transformers"), ("litertlm", "tfLite")])
def test_addresses(content: Content, framework: str) -> None:
    check_address("hf://owner/name", content, public=True)
    check_address(f"kaggle://owner/model/{framework}/small", content, public=False)
    wrong = {
        "hf://name": "expected hf://owner/name or kaggle://owner/model/framework/variation",
        "kaggle://owner/model": "expected hf://owner/name or",
        "s3://bucket": "expected hf://owner/name or",
        "kaggle://owner/model/keras/small": f"use kaggle://owner/model/{framework}/small",
    }
    for address, message in wrong.items():
        with pytest.raises(InputError, match=message):
            check_address(address, content, public=False)
    with pytest.raises(InputError, match="--public"):
        check_address(f"kaggle://owner/model/{framework}/small", content, public=True)


@pytest.mark.parametrize("name", ADDRESSES)
@pytest.mark.parametrize("given", ["", "a-wrong-token"])
def test_without_the_right_token(
    name: str, given: str, hub: UploadHub, config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if given:
        monkeypatch.setenv("HF_TOKEN", given)
        monkeypatch.setenv("KAGGLE_USERNAME", "someone")
        monkeypatch.setenv("KAGGLE_KEY", given)
    with pytest.raises(InputError, match="access") as caught:
        publish(config, make_run(tmp_path, "merge"), "adapter", ADDRESSES[name], public=False)
    assert ("HF_TOKEN" if name == "hugging_face" else "kaggle.json") in str(caught.value)
    assert not given or given not in str(caught.value)
    assert hub.files == {}


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize("name", ADDRESSES)
@pytest.mark.parametrize("status", [429, 503])
def test_a_bad_moment_of_the_hub(
    name: str, status: int, hub: UploadHub, config: Config, tmp_path: Path
) -> None:
    place = {"hugging_face": "/api/repos/create", "kaggle": "StartBlobUpload"}[name]
    hub.failures[place] = [status]
    publish(config, make_run(tmp_path, "merge"), "adapter", ADDRESSES[name], public=False)
    assert "adapter.safetensors" in hub.files


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize("name", ADDRESSES)
def test_a_refusal_of_the_hub(name: str, hub: UploadHub, config: Config, tmp_path: Path) -> None:
    place = {"hugging_face": "/commit/main", "kaggle": "CreateModelInstance"}[name]
    hub.failures[place] = [400] * 10
    with pytest.raises(PocketGemmaError) as caught:
        publish(config, make_run(tmp_path, "merge"), "adapter", ADDRESSES[name], public=False)
    assert str(caught.value).startswith(f"{ADDRESSES[name]}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize("name", ADDRESSES)
def test_nobody_listens(
    name: str, hub: UploadHub, config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kagglesdk import kaggle_env

    nobody = "http://127.0.0.1:9"
    monkeypatch.setenv("HF_ENDPOINT", nobody)
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, nobody)
    with pytest.raises(PocketGemmaError) as caught:
        publish(config, make_run(tmp_path, "merge"), "adapter", ADDRESSES[name], public=False)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
@pytest.mark.usefixtures("token")
def test_a_run_folder_that_cannot_be_written(hub: UploadHub, config: Config, tmp_path: Path) -> None:
    run = make_run(tmp_path, "merge")
    run.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(PocketGemmaError):
        publish(config, run, "adapter", HUGGING_FACE, public=False)
