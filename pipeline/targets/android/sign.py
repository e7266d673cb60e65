"""Signing an APK: with the person's own key from the environment, or with a debug key made on the spot and kept in the cache.

A password is only ever in an environment variable: not in an argument (which every user of the machine can list), not in a file.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.cache import cached
from pipeline.digests import sha256_of_file
from pipeline.errors import InputError
from pipeline.targets.android.project import app_settings
from pipeline.targets.android.tools import find_tool, run_tool

KEYSTORE = "POCKETGEMMA_KEYSTORE"
KEYSTORE_PASSWORD = "POCKETGEMMA_KEYSTORE_PASSWORD"
KEY_ALIAS = "POCKETGEMMA_KEY_ALIAS"
KEY_PASSWORD = "POCKETGEMMA_KEY_PASSWORD"

# The debug key is no secret: it only has to stay the same, or the phone refuses to install a new build over the old one.
_DEBUG_ALIAS = "debug"
_DEBUG_PASSWORD = "android"
_DEBUG_VALIDITY_DAYS = 10950


@dataclass(frozen=True, repr=False)
class SigningKey:
    """A key and where its passwords come from. Has no repr, so that no password gets into a log."""

    keystore: Path
    alias: str
    debug: bool
    # Variables for the signing program only: name and secret.
    secrets: Mapping[str, str]


def signing_key() -> SigningKey:
    """The person's key when POCKETGEMMA_KEYSTORE is set, else the debug key.

    Raises:
        InputError: POCKETGEMMA_KEYSTORE is set, but the file or one of the other variables is missing.
    """
    place = os.environ.get(KEYSTORE)
    if not place:
        return _debug_key()
    keystore = Path(place).expanduser()
    if not keystore.is_file():
        raise InputError(f"{KEYSTORE}: no such file: {keystore}")
    missing = [name for name in (KEYSTORE_PASSWORD, KEY_ALIAS) if not os.environ.get(name)]
    if missing:
        raise InputError(f"{KEYSTORE} is set, so {' and '.join(missing)} must be set too")
    password = os.environ[KEYSTORE_PASSWORD]
    secrets = {KEYSTORE_PASSWORD: password, KEY_PASSWORD: os.environ.get(KEY_PASSWORD) or password}
    return SigningKey(keystore, os.environ[KEY_ALIAS], debug=False, secrets=secrets)


def signer_digest() -> str:
    """Tells one signer from another without naming a secret: the sha256 of the person's keystore and the alias, or "debug".

    Raises:
        InputError: as `signing_key`.
    """
    if not os.environ.get(KEYSTORE):
        return "debug"
    key = signing_key()
    return f"{sha256_of_file(key.keystore)} {key.alias}"


def _debug_key() -> SigningKey:
    secrets = {KEYSTORE_PASSWORD: _DEBUG_PASSWORD, KEY_PASSWORD: _DEBUG_PASSWORD}

    def make(folder: Path) -> None:
        options = [
            "-storetype",
            "PKCS12",
            "-keyalg",
            "RSA",
            "-keysize",
            "2048",
            "-validity",
            str(_DEBUG_VALIDITY_DAYS),
        ]
        passwords = ["-storepass:env", KEYSTORE_PASSWORD, "-keypass:env", KEY_PASSWORD]
        name = ["-alias", _DEBUG_ALIAS, "-dname", "CN=PocketGemma debug"]
        command: list[str | Path] = [
            find_tool("keytool"),
            "-genkeypair",
            "-keystore",
            folder / "debug.p12",
            *name,
            *options,
            *passwords,
        ]
        run_tool(command, "making a debug key", secrets)

    return SigningKey(cached("key", "debug", make) / "debug.p12", _DEBUG_ALIAS, debug=True, secrets=secrets)


def sign(unsigned: Path, target: Path) -> SigningKey:
    """Sign an APK (signature schemes v2 and v3) and return the key it was signed with.

    Raises:
        InputError: the person's key is not fully given.
        PocketGemmaError: apksigner refuses, for instance because of a wrong password.
    """
    key = signing_key()
    settings = app_settings()
    # Version 1 signatures are for Android 6 and older; leaving them out also leaves META-INF out.
    schemes = [
        "--v1-signing-enabled",
        "false",
        "--v2-signing-enabled",
        "true",
        "--v3-signing-enabled",
        "true",
        "--v4-signing-enabled",
        "false",
    ]
    store: list[str | Path] = [
        "--ks",
        key.keystore,
        "--ks-key-alias",
        key.alias,
        "--ks-pass",
        f"env:{KEYSTORE_PASSWORD}",
        "--key-pass",
        f"env:{KEY_PASSWORD}",
    ]
    command: list[str | Path] = [
        find_tool("apksigner"),
        "sign",
        *store,
        "--min-sdk-version",
        str(settings.min_sdk),
        *schemes,
        "--out",
        target,
        unsigned,
    ]
    run_tool(command, f"signing {target.name}", key.secrets)
    return key
