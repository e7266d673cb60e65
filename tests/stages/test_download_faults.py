"""Promise: a fault of the machine or its network is named in one line that says what to do, and is not
retried."""

import errno
import os
import shutil
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import PocketGemmaError
from pipeline.gemma import hugging_face_hub
from pipeline.gemma.presets import check_preset
from pipeline.run.folder import Run
from pipeline.stages import download
from tests.stages.downloads import HUGGING_FACE, KAGGLE, config, refused
from tests.support.hubs import Hub, serve
from tests.support.presets import SHAPE, write_transformers_folder

pytestmark = pytest.mark.usefixtures("isolated")

ADDRESSES = {"kaggle": KAGGLE, "hugging_face": HUGGING_FACE}
ANYWHERE = {"kaggle": ["/v1/", "/kaggle-files/"], "hugging_face": ["/api/models", "/resolve/"]}
SIGN_IN = "a web page came instead of a file; if this network has a sign-in page, open it"


@pytest.fixture(params=ADDRESSES)
def hub(request: pytest.FixtureRequest) -> tuple[str, Hub]:
    """The address of a preset, and the hub that has it."""
    return ADDRESSES[request.param], request.getfixturevalue(request.param)


def places(address: str) -> list[str]:
    return ANYWHERE["kaggle" if address == KAGGLE else "hugging_face"]


@pytest.mark.parametrize("place", [0, 1])
def test_a_sign_in_page_instead_of_data(
    place: int, hub: tuple[str, Hub], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, server = hub
    monkeypatch.delenv("HF_ENDPOINT", raising=False)  # where it is set, it is the first thing to check
    monkeypatch.setattr(hugging_face_hub, "endpoint", lambda: server.url)
    server.failures[places(address)[place]] = ["page"] * 100
    assert SIGN_IN in refused(address, run, PocketGemmaError)
    server.failures.clear()
    download.run(config(address), run)
    assert check_preset(run.folder("download") / "preset") == SHAPE


@pytest.mark.parametrize("place", [0, 1])
def test_a_redirect_to_itself(place: int, hub: tuple[str, Hub], run: Run) -> None:
    address, server = hub
    server.failures[places(address)[place]] = ["loop"] * 1000
    assert "redirects in a loop" in refused(address, run, PocketGemmaError)


@pytest.mark.parametrize("value", ["foo://me:word@host:80", "socks5://host:80", "http://host:port"])
@pytest.mark.parametrize("address", ADDRESSES.values())
def test_a_proxy_that_no_client_can_use(
    address: str, value: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the addresses of the hubs themselves; nothing is sent."""
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("HTTPS_PROXY", value)
    said = refused(address, run, PocketGemmaError)
    assert said == f"{address}: HTTPS_PROXY is not the address of a proxy; expected http://host:port"


@pytest.mark.parametrize("address", ADDRESSES.values())
def test_a_proxy_that_asks_for_a_password(
    address: str, hugging_face: Hub, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_ENDPOINT")
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("HTTPS_PROXY", hugging_face.url)
    said = refused(address, run, PocketGemmaError)
    assert said.endswith("write HTTPS_PROXY=http://user:password@host:port")


def test_a_failure_of_the_client_for_xet_is_retried(
    hugging_face: Hub, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    plain, failures = huggingface_hub.snapshot_download, [RuntimeError("CAS service error")]

    def download_files(*arguments: Any, **options: Any) -> Any:
        if not options.get("dry_run") and failures:
            raise failures.pop()
        return plain(*arguments, **options)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download_files)
    download.run(config(HUGGING_FACE), run)
    assert not failures and check_preset(run.folder("download") / "preset") == SHAPE


@pytest.mark.parametrize("address", ADDRESSES.values())
def test_a_user_without_a_home_folder(address: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    assert "set HOME to a folder that can be written" in refused(address, run, PocketGemmaError)


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "no space left for the download"),
        (errno.EROFS, "read-only file system; make it writable, or set"),
        (errno.ENOTDIR, "not a directory; make it writable, or set"),
    ],
)
def test_a_cache_that_takes_no_file(
    number: int, advice: str, hub: tuple[str, Hub], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = os.makedirs

    def refuse(path: str | os.PathLike[str], *arguments: object, **more: object) -> None:
        if "-cache" in str(path):
            raise OSError(number, os.strerror(number), str(path))
        plain(path, *arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "makedirs", refuse)
    said = refused(hub[0], run, PocketGemmaError)
    assert advice in said
    assert ("KAGGLEHUB_CACHE" if hub[0] == KAGGLE else "HF_HUB_CACHE") in said


def test_a_server_is_left_alone_as_long_as_it_asks(
    hub: tuple[str, Hub], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    address, server = hub
    server.retry_after = 7
    server.failures[places(address)[0]] = [429]
    download.run(config(address), run)
    assert 7 in waits


def test_a_server_that_asks_for_an_hour_is_not_waited_for(kaggle: Hub, run: Run) -> None:
    kaggle.retry_after = 3600
    kaggle.failures["/v1/"] = [429] * 100
    assert "the server is busy; try again in 60 minutes" in refused(KAGGLE, run, PocketGemmaError)


def test_a_damaged_file_from_hugging_face_is_downloaded_again(hugging_face: Hub, run: Run) -> None:
    hugging_face.failures["model.safetensors"] = ["damaged"]
    download.run(config(HUGGING_FACE), run)
    assert check_preset(run.folder("download") / "preset") == SHAPE
    assert sum(each.startswith("GET") and "model.safetensors" in each for each in hugging_face.requests) == 2


def test_a_download_larger_than_the_disk_is_refused_before_it(
    hugging_face: Hub, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = shutil.disk_usage
    monkeypatch.setattr(shutil, "disk_usage", lambda path: plain(path)._replace(free=5))
    said = refused(HUGGING_FACE, run, PocketGemmaError)
    assert "MB to download, but only 0 MB are free in" in said and "set HF_HUB_CACHE" in said
    assert not any(each.startswith("GET") and "/resolve/" in each for each in hugging_face.requests)


def test_a_snapshot_that_a_user_changed_is_not_deleted(hugging_face: Hub, run: Run, tmp_path: Path) -> None:
    download.run(config(HUGGING_FACE), run)
    (snapshot,) = tmp_path.glob("hf-cache/*/snapshots/*")
    own = tmp_path / "own.json"
    own.write_text((snapshot / "config.json").read_text() + "\n")
    (snapshot / "config.json").unlink()
    (snapshot / "config.json").symlink_to(own)
    (snapshot / "tokenizer.model").unlink()
    with Run(tmp_path / "other") as other:
        download.run(config(HUGGING_FACE), other)
    assert own.exists() and (snapshot / "config.json").resolve() == own


def test_a_hub_that_is_down_leaves_what_is_in_the_cache(hugging_face: Hub, run: Run, tmp_path: Path) -> None:
    download.run(config(HUGGING_FACE), run)
    hugging_face.failures["/api/models"] = [503] * 100
    with Run(tmp_path / "other") as other:
        download.run(config(HUGGING_FACE), other)
        assert check_preset(other.folder("download") / "preset") == SHAPE


def test_a_broken_file_of_credentials_is_named(kaggle: Hub, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "home/.kaggle/kaggle.json"
    path.parent.mkdir(parents=True)
    path.write_text("{")
    said = refused(KAGGLE, run)
    assert str(path) in said and "save a new one from https://www.kaggle.com/settings" in said


@pytest.fixture
def untrusted(tmp_path: Path) -> Iterator[Hub]:
    """A hub behind TLS with a certificate of its own."""
    with serve(
        Hub.of_folder(write_transformers_folder(tmp_path / "offered")), own_certificate(tmp_path)
    ) as hub:
        yield hub


def own_certificate(folder: Path) -> ssl.SSLContext:
    """Of a server whose certificate nobody has signed."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + certificate.public_bytes(encoding))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


@pytest.mark.parametrize("address", ADDRESSES.values())
def test_a_network_that_inspects_tls(
    address: str, untrusted: Hub, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kagglesdk import kaggle_env

    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, untrusted.url)
    monkeypatch.setenv("HF_ENDPOINT", untrusted.url)
    assert "set SSL_CERT_FILE and REQUESTS_CA_BUNDLE" in refused(address, run, PocketGemmaError)
    assert not untrusted.requests
