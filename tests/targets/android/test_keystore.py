from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.targets.android import keystore
from pipeline.targets.android.keystore import KEY_PASSWORD, KEYSTORE_PASSWORD, check_keystore
from pipeline.targets.android.tools import find_tool, run_tool

PASSWORD, OTHER = "correct horse", "battery staple"
RSA = ("-keyalg", "RSA", "-keysize", "2048")

Make = Callable[..., Path]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Makes a keystore with the key `release`."""
    folder = tmp_path_factory.mktemp("keystores")

    def make(*options: str, kind: str = "PKCS12", key_password: str = PASSWORD) -> Path:
        path = folder / f"{len(list(folder.iterdir()))}.keystore"
        command: list[str | Path] = [find_tool("keytool"), "-genkeypair", "-keystore", path, *options]
        names = ["-storetype", kind, "-alias", "release", "-dname", "CN=test", "-validity", "100"]
        passwords = ["-storepass:env", KEYSTORE_PASSWORD, "-keypass:env", KEY_PASSWORD]
        secrets = {KEYSTORE_PASSWORD: PASSWORD, KEY_PASSWORD: key_password}
        run_tool([*command, *names, *passwords], "making a keystore", secrets)
        return path

    return make


def refusal(path: Path, alias: str = "release", store: str = PASSWORD, key: str | None = None) -> str:
    secrets = {KEYSTORE_PASSWORD: store, KEY_PASSWORD: store if key is None else key}
    with pytest.raises(InputError) as caught:
        check_keystore(path, alias, secrets)
    message = str(caught.value)
    assert "\n" not in message and "Exception" not in message
    assert not any(secret in message for secret in (PASSWORD, OTHER))
    return message


@pytest.fixture(scope="module")
def good(make: Make) -> Path:
    return make(*RSA)


@pytest.mark.slow
def test_keys_that_android_takes_are_accepted(good: Path, make: Make) -> None:
    both = {KEYSTORE_PASSWORD: PASSWORD, KEY_PASSWORD: PASSWORD}
    check_keystore(good, "release", both)
    check_keystore(make("-keyalg", "EC", "-groupname", "secp256r1"), "release", both)
    jks = make(*RSA, kind="JKS", key_password=OTHER)
    check_keystore(jks, "release", both | {KEY_PASSWORD: OTHER})
    assert refusal(jks).startswith("POCKETGEMMA_KEY_PASSWORD: wrong password for the key release")
    assert refusal(jks, store=OTHER).startswith("POCKETGEMMA_KEYSTORE_PASSWORD: wrong password")


def test_what_is_wrong_with_password_or_alias_names_the_variable(good: Path) -> None:
    assert refusal(good, store=OTHER).startswith("POCKETGEMMA_KEYSTORE_PASSWORD: wrong password")
    assert refusal(good, key=OTHER).startswith("POCKETGEMMA_KEY_PASSWORD: differs from")
    assert refusal(good, alias="debug").startswith("POCKETGEMMA_KEY_ALIAS: no key debug in")


@pytest.mark.parametrize("content", [b"", b"not a keystore", b"0\x82cut off"])
def test_another_file_is_called_what_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.p12"
    path.write_bytes(content)
    assert refusal(path).startswith("POCKETGEMMA_KEYSTORE: mine.p12 is not a keystore, or is damaged")


def test_a_keystore_that_is_cut_off_is_damaged(good: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.p12"
    path.write_bytes(good.read_bytes()[:300])
    assert "is not a keystore, or is damaged" in refusal(path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "what"),
    [
        (("-keyalg", "Ed25519"), "is Ed25519, but Android accepts only RSA and EC keys"),
        (
            ("-keyalg", "RSA", "-keysize", "1024"),
            f"has 1024 bits, expected {keystore.LEAST_RSA_BITS} or more",
        ),
        ((*RSA, "-startdate", "2020/01/01"), "expired on 2020-04-10"),
    ],
)
def test_a_key_that_cannot_sign_an_app_is_refused(make: Make, options: tuple[str, ...], what: str) -> None:
    message = refusal(make(*options))
    assert message.startswith("POCKETGEMMA_KEYSTORE: ")
    assert what in message
