"""Promise: an access token reaches the hub, and nothing else: no message, no output, no file of a run."""

from pathlib import Path

import pytest

from pipeline.errors import PocketGemmaError
from pipeline.run.folder import Run
from pipeline.stages import download
from tests.stages.downloads import HUGGING_FACE, KAGGLE, config
from tests.support.hubs import TOKEN, Hub

pytestmark = pytest.mark.usefixtures("isolated")

WRONG = "a-wrong-token-that-nobody-may-see"


@pytest.mark.parametrize("name", ["kaggle", "hugging_face"])
@pytest.mark.parametrize("token", [TOKEN, WRONG])
@pytest.mark.parametrize("status", [None, 403])
def test_a_token_stays_between_user_and_hub(
    name: str,
    token: str,
    status: int | None,
    request: pytest.FixtureRequest,
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    hub: Hub = request.getfixturevalue(name)
    hub.gated = True
    if status:
        hub.failures[""] = [status] * 100
    monkeypatch.setenv("KAGGLE_USERNAME", "someone")
    monkeypatch.setenv("KAGGLE_KEY", token)
    monkeypatch.setenv("HF_TOKEN", token)
    message = ""
    try:
        download.run(config({"kaggle": KAGGLE, "hugging_face": HUGGING_FACE}[name]), run)
    except PocketGemmaError as error:
        message = f"{error} {error.__cause__}"
    assert (message == "") == (token == TOKEN and status is None)
    printed = "".join(capfd.readouterr())
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert hub.requests and written
    assert token not in message + printed
    assert [path for path in written if token.encode() in path.read_bytes()] == []
