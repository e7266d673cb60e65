"""Data sets of Hugging Face through the real client, against a server on the loopback interface."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.data.faults import Faults
from pipeline.data.readers import read_rows
from pipeline.data.sources import find_files
from pipeline.errors import InputError
from pipeline.gemma import hub_attempts
from tests.support.hubs import Hub, serve
from tests.support.rows import write_jsonl, write_parquet

ADDRESS = "hf://datasets/ann/flags"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    from huggingface_hub import constants

    offered = tmp_path / "offered"
    (offered / "data").mkdir(parents=True)
    (offered / "README.md").write_text("flags", encoding="utf-8")
    (offered / "loader.py").write_text("raise SystemExit", encoding="utf-8")
    write_parquet(offered / "data/train-00000-of-00001.parquet", {"prompt": ["Q"], "response": ["A"]})
    write_jsonl(offered / "data/test.jsonl", [{"prompt": "R", "response": "B"}])
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf-cache"))
    monkeypatch.setattr(hub_attempts, "WAITS", (0.0, 0.0, 0.0))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serve(Hub.of_folder(offered, "datasets/ann/flags")) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


def test_the_files_of_a_split_are_downloaded_and_read(hub: Hub) -> None:
    (train,) = find_files([ADDRESS], "train")
    (test,) = find_files([f"{ADDRESS}/data/test.jsonl"], "test")
    rows = [row.values for path in (train, test) for row in read_rows(path, Faults())]
    assert rows == [{"prompt": "Q", "response": "A"}, {"prompt": "R", "response": "B"}]
    assert not any("loader.py" in request for request in hub.requests)


def test_a_failure_of_the_server_is_retried(hub: Hub) -> None:
    hub.failures = {"train-00000": [503, "cut"]}
    assert find_files([ADDRESS], "train")[0].name == "train-00000-of-00001.parquet"


def test_a_data_set_that_is_not_there_or_closed_is_refused(hub: Hub) -> None:
    with pytest.raises(InputError, match=r"hf://datasets/ann/other: access denied, or no such data set"):
        find_files(["hf://datasets/ann/other"], "train")
    with pytest.raises(InputError, match=r"no revision v9 at https://huggingface.co/datasets/ann/flags"):
        find_files([f"{ADDRESS}@v9"], "train")
    hub.gated = True
    with pytest.raises(InputError, match=r"accept its terms .* set HF_TOKEN"):
        find_files([ADDRESS], "train")
