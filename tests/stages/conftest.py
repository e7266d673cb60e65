"""A run folder, and hubs on the loopback interface to download from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.gemma import hub_attempts
from pipeline.run.folder import Run
from tests.support.hubs import Hub, serve
from tests.support.presets import write_keras_preset, write_transformers_folder


@pytest.fixture
def isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests see no tokens and no caches of the user who runs them, and do not wait between attempts."""
    import huggingface_hub
    from huggingface_hub import constants

    huggingface_hub.close_session()  # it keeps the proxies of the test before
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "home/.kaggle"))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "kaggle-cache"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf-cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "home/hf-token"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(hub_attempts, "WAITS", (0.0, 0.0, 0.0))


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with Run(tmp_path / "run") as run:
        yield run


@pytest.fixture
def kaggle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    from kagglesdk import kaggle_env

    with serve(Hub.of_folder(write_keras_preset(tmp_path / "offered"))) as hub:
        monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, hub.url)
        yield hub


@pytest.fixture
def hugging_face(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serve(Hub.of_folder(write_transformers_folder(tmp_path / "offered"))) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub
